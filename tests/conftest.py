"""Says at the end of a run which engines it was on, and which it was not."""

from __future__ import annotations

import pytest

from libs.lab.engines import find_engines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = find_engines()
    there = ", ".join(f"{binary.kind} {binary.version}" for binary in found) or "none"
    absent = [kind for kind in ("MariaDB", "MySQL") if all(binary.kind != kind for binary in found)]
    remedy = " (name a server's command line in STOREX_MYSQLD)" if "MySQL" in absent else ""
    not_there = f"; not found: {', '.join(absent)}{remedy}" if absent else ""
    terminalreporter.write_line(f"Engines: {there}{not_there}.")
