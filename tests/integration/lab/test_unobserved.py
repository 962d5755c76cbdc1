"""Without the performance schema incidents come about as well, and their truth is what such a server can show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from libs.lab.engines import RunningEngine, require_engines
from libs.lab.injection import Target
from libs.lab.run import bring_about
from tests.integration.lab.conftest import serve

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture(scope="module")
def unobserved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    binary = next((one for one in require_engines() if one.kind == "MariaDB"), require_engines()[0])
    with binary.start(tmp_path_factory.mktemp("engine"), performance_schema=False) as engine:
        assert _has_none(engine)
        yield from serve(engine, "a-password")


def _has_none(engine: RunningEngine) -> bool:
    return engine.execute("SELECT @@performance_schema") == [(0,)]


@pytest.mark.parametrize(
    ("incident_id", "types"),
    [
        ("lock.row_blocker", {"connection_id", "user"}),
        ("lock.metadata", {"connection_id", "user", "table"}),
        ("lock.global_read", {"connection_id", "user"}),
        ("lock.hot_row", {"table"}),
        ("query.heavy_scan", {"table"}),
        ("query.temp_spill", {"table", "variable"}),
        ("query.plan_regression", {"table", "index"}),
        ("traffic.spike", {"user"}),
        ("connections.exhausted", {"user"}),
        ("innodb.purge_lag", {"connection_id", "user"}),
        ("config.change", {"variable"}),
        ("capacity.table_full", {"table"}),
        ("access.auth_failed", {"user", "host"}),
    ],
)
def test_the_truth_holds_what_can_be_known(incident_id: str, types: set[str], unobserved: Target) -> None:
    with bring_about(incident_id, unobserved) as running:
        assert {type_ for _, type_, _ in running.truth.entities} == types
        assert running.truth.decisive
