"""Every store there is, on the engines that this machine has: the same tests pass on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from services.shard.stores.mysql import open_mysql
from services.shard.stores.sqlite import open_sqlite
from services.shard.stores.store import HistoryStore

Open = Callable[[], HistoryStore]

# The server keeps all tables in one file of bounded size, so that the disk of a store can really be full.
_BOUNDED = ("--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:32M")


@dataclass(frozen=True)
class Kind:
    """A kind of store; opening it twice opens the same store twice."""

    name: str
    open: Open


@pytest.fixture(scope="package")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[EngineBinary], RunningEngine]]:
    """Servers for stores, each started when first asked for."""
    started: dict[str, RunningEngine] = {}

    def start(binary: EngineBinary) -> RunningEngine:
        if binary.kind not in started:
            started[binary.kind] = binary.start(tmp_path_factory.mktemp("store"), options=_BOUNDED)
        return started[binary.kind]

    yield start
    for server in started.values():
        server.stop()


def _mysql(server: RunningEngine) -> Open:
    server.execute("DROP DATABASE IF EXISTS storex")
    server.execute("CREATE DATABASE storex")
    return lambda: open_mysql(lambda: server.connect(database="storex"))


@pytest.fixture(
    params=[
        "sqlite",
        *(pytest.param(binary, id=binary.kind.lower(), marks=pytest.mark.engine) for binary in require_engines()),
    ]
)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Kind:
    """Each kind of store, empty."""
    if request.param == "sqlite":
        return Kind("sqlite", lambda: open_sqlite(tmp_path / "store" / "history.sqlite"))
    server = request.getfixturevalue("servers")(request.param)
    return Kind(request.param.kind, _mysql(server))


@pytest.fixture
def store(kind: Kind) -> Iterator[HistoryStore]:
    """An empty store."""
    opened = kind.open()
    yield opened
    opened.close()
