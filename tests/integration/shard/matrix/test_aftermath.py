"""What is said once a fault has ended: by the shard that saw it, and by one that comes to a server with a past."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary
from libs.lab.incidents import INCIDENTS, Incident
from libs.lab.truth import HEALTHY, Truth
from tests.integration.shard.matrix.records import record
from tests.integration.shard.matrix.stage import set_up
from tests.integration.shard.matrix.test_controls import QUIET_SECONDS, listen
from tests.integration.shard.matrix.test_incidents import BEFORE, FOUND_WITHIN, PRIMARIES
from tests.integration.shard.matrix.watching import Sighting, shown, watch

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300)]

OVER_WITHIN = 60.0
"""Seconds from a fault's end until nothing is said of it any more: what was measured over a window has left it."""

SINGLE = [found for found in INCIDENTS.values() if found.id.partition(".")[0] not in (HEALTHY, "two", "herring")]

PAST = (
    "query.missing_index",
    "query.temp_spill",
    "lock.deadlock",
    "lock.row_blocker",
    "access.auth_failed",
    "connections.exhausted",
    "traffic.retry_storm",
)
"""What leaves traces in counters that no server sets back before it is restarted."""
LASTED, SINCE = 4.0, 15.0
"""How long each of them lasted, and how long the last of them is over, in seconds."""


async def find_and_end(folder: Path, binary: EngineBinary, incident: Incident, primary: str) -> Sighting:
    """How long a shard that has found an incident goes on about it after its end. Asserts that it was found."""
    with set_up(folder, binary, primary, replica=incident.needs_replica) as stage:
        async with stage.shard() as shard:
            await asyncio.sleep(BEFORE)
            running = await asyncio.to_thread(stage.fleet.inject, incident.id, stage.name)
            found = await watch(shard, shown(running.truth, binary.kind), FOUND_WITHIN)
            assert found.outcome == "exact", found.problems
            await asyncio.to_thread(running.stop)
            over = await watch(shard, Truth(HEALTHY), OVER_WITHIN)
    over.strays = [stray for stray in over.strays if not stray.startswith(f"{incident.id}:")]
    return over


@pytest.mark.parametrize(("place", "incident"), list(enumerate(SINGLE)), ids=[found.id for found in SINGLE])
async def test_nothing_is_said_of_what_has_ended(
    place: int, incident: Incident, binary: EngineBinary, tmp_path: Path
) -> None:
    over = await find_and_end(tmp_path, binary, incident, PRIMARIES[place % len(PRIMARIES)])
    record("aftermath", incident.id, incident.title, binary, watched=over)
    assert (over.outcome, over.problems) == ("exact", [])


async def test_a_servers_past_is_not_taken_for_its_present(binary: EngineBinary, tmp_path: Path) -> None:
    with set_up(tmp_path, binary, "orders-1") as stage:
        for incident_id in PAST:
            running = await asyncio.to_thread(stage.fleet.inject, incident_id, stage.name)
            await asyncio.sleep(LASTED)
            await asyncio.to_thread(running.stop)
        await asyncio.sleep(SINCE)
        async with stage.shard() as newcomer:
            fresh = await listen(newcomer, QUIET_SECONDS)
    title = "Nothing is wrong any more: the counters hold what was wrong since the server was started"
    record("control", "healthy.long_up", title, binary, watched=fresh)
    assert (fresh.strays, fresh.problems) == ([], [])
