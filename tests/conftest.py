"""Which engines a run is on: every test on the first, a core on each; what was found and what was not is said.

A run on several processes keeps the tests of one file together, and those of a folder that share a running mesh.
"""

from __future__ import annotations

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from libs.lab.engines import find_engines

_ON_EACH_ENGINE = (
    "tests/integration/shard/test_innodb.py",
    "tests/integration/shard/test_lock_waits.py",
    "tests/integration/stores/",
    "tests/integration/worlds/test_equality.py",
)
"""What `make test` runs on every engine there is; the rest meets the others in `make verify`."""

_SHARE_A_MESH = ("tests/canary/", "tests/e2e/access/", "tests/e2e/cli/", "tests/e2e/judge/")
"""Folders whose tests share what takes longest to start."""


class BySharing(LoadScopeScheduling):  # type: ignore[misc] # of a library without types
    """Hands a file's tests, or those of a folder that share a mesh, to one process."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in _SHARE_A_MESH if file.startswith(folder)), file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return BySharing(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    kinds = [binary.kind for binary in find_engines()]
    first = "MariaDB" if "MariaDB" in kinds else next(iter(kinds), "")
    others = [kind for kind in kinds if kind != first]
    if not others:
        return
    named = re.compile(rf"\b(?:{'|'.join(others)})-\d|kind='(?:{'|'.join(others)})'")
    for item in items:
        if named.search(item.name) and not item.nodeid.startswith(_ON_EACH_ENGINE):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = find_engines()
    there = ", ".join(f"{binary.kind} {binary.version}" for binary in found) or "none"
    absent = [kind for kind in ("MariaDB", "MySQL") if all(binary.kind != kind for binary in found)]
    remedy = " (name a server's command line in STOREX_MYSQLD)" if "MySQL" in absent else ""
    not_there = f"; not found: {', '.join(absent)}{remedy}" if absent else ""
    terminalreporter.write_line(f"Engines: {there}{not_there}.")
