"""Every incident of the lab on every engine, watched from before it began and by a shard that comes later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary
from libs.lab.incidents import INCIDENTS, Incident
from libs.lab.truth import HEALTHY
from tests.integration.shard.matrix.records import record
from tests.integration.shard.matrix.stage import set_up
from tests.integration.shard.matrix.watching import Sighting, seen_late, shown, watch

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

PRIMARIES = ("orders-1", "payments-1", "users-1")
"""Each has a schema and a workload of its own: incidents take turns."""
BEFORE = 9.0
"""How long a shard has looked at the server before the incident, in seconds."""
FOUND_WITHIN = 30.0
"""Seconds from the incident's coming about to right answers; a few would do on an idle machine."""

CELLS = [found for found in INCIDENTS.values() if found.id.partition(".")[0] != HEALTHY]


async def observe(folder: Path, binary: EngineBinary, incident: Incident, primary: str) -> tuple[Sighting, Sighting]:
    """What a shard that was there before sees, and what one sees that came later."""
    with set_up(folder, binary, primary, replica=incident.needs_replica) as stage:
        async with stage.shard() as before:
            await asyncio.sleep(BEFORE)
            running = await asyncio.to_thread(stage.fleet.inject, incident.id, stage.name)
            truth = shown(running.truth, binary.kind)
            watched = await watch(before, truth, FOUND_WITHIN)
        async with stage.shard() as after:
            return watched, await watch(after, truth, FOUND_WITHIN, *seen_late(truth))


@pytest.mark.parametrize(("place", "incident"), list(enumerate(CELLS)), ids=[found.id for found in CELLS])
async def test_exactly_what_is_there_is_found(
    place: int, incident: Incident, binary: EngineBinary, tmp_path: Path
) -> None:
    watched, fresh = await observe(tmp_path, binary, incident, PRIMARIES[place % len(PRIMARIES)])
    record("incident", incident.id, incident.title, binary, watched=watched, fresh=fresh)
    assert (watched.outcome, watched.problems) == ("exact", [])
    assert (fresh.outcome, fresh.problems) == ("exact", [])
