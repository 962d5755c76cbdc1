"""MariaDB as it comes, with performance_schema off: what is found all the same, and what is said to be out of sight."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary, require_engines
from libs.lab.incidents import INCIDENTS
from tests.integration.shard.matrix.records import record
from tests.integration.shard.matrix.stage import set_up
from tests.integration.shard.matrix.test_incidents import BEFORE, FOUND_WITHIN
from tests.integration.shard.matrix.watching import watch

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

SERVERS = [binary for binary in require_engines() if binary.kind == "MariaDB"]

IN_SIGHT = (
    "lock.row_blocker",
    "lock.deadlock",
    "connections.leak",
    "connections.exhausted",
    "innodb.purge_lag",
    "config.change",
)
OUT_OF_SIGHT = (
    "lock.metadata",
    "lock.global_read",
    "query.missing_index",
    "traffic.n_plus_one",
    "config.read_only",
    "capacity.table_full",
)


@pytest.mark.parametrize("binary", SERVERS, ids=lambda binary: f"{binary.kind}-{binary.version}")
@pytest.mark.parametrize(
    ("incident_id", "outcome"),
    [*((one, "exact") for one in IN_SIGHT), *((one, "blind") for one in OUT_OF_SIGHT)],
    ids=[*IN_SIGHT, *OUT_OF_SIGHT],
)
async def test_without_the_performance_schema(
    incident_id: str, outcome: str, binary: EngineBinary, tmp_path: Path
) -> None:
    with set_up(tmp_path, binary, "orders-1", performance_schema=False) as stage:
        async with stage.shard() as shard:
            await asyncio.sleep(BEFORE)
            running = await asyncio.to_thread(stage.fleet.inject, incident_id, stage.name)
            seconds = FOUND_WITHIN if outcome == "exact" else FOUND_WITHIN / 3
            watched = await watch(shard, running.truth, seconds)
    record("unobserved", incident_id, INCIDENTS[incident_id].title, binary, watched=watched)
    assert (watched.outcome, watched.strays) == (outcome, [])
