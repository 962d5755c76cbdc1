"""Servers on which nothing is wrong: no detector says anything, at the start as little as minutes later."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary
from libs.lab.incidents import INCIDENTS, Incident
from libs.lab.truth import HEALTHY, Truth
from services.shard.instances import Instance
from storex.diagnostics.v1 import finding_pb2
from tests.integration.shard.matrix.judging import roots_of, strays
from tests.integration.shard.matrix.records import record
from tests.integration.shard.matrix.stage import set_up
from tests.integration.shard.matrix.watching import Sighting, look

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300)]

QUIET_SECONDS = 60.0
EVERY_SECONDS = 2.0
SETTLED_SECONDS = 40.0
"""From here on every check has been made: what is normal takes a while to know, longer on a busy machine."""

CONTROLS = [found for found in INCIDENTS.values() if found.id.partition(".")[0] == HEALTHY]


async def listen(instance: Instance, seconds: float) -> Sighting:
    """Ask all the time, and note whatever is said."""
    sighting, began = Sighting(outcome="exact"), time.monotonic()
    while (asked := time.monotonic() - began) < seconds:
        health = await look(instance)
        sighting.strays += [f"{asked:.0f} s: {stray}" for stray in strays(roots_of(health), Truth(HEALTHY))]
        unmade = [check for check in health.checks if check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED]
        if asked > SETTLED_SECONDS:
            sighting.problems += [f"{asked:.0f} s: {check.kind}: {check.reason}" for check in unmade]
        await asyncio.sleep(EVERY_SECONDS)
    sighting.outcome = "extra" if sighting.strays else "exact"
    return sighting


@pytest.mark.parametrize("incident", CONTROLS, ids=[found.id for found in CONTROLS])
async def test_nothing_is_said_about_a_healthy_server(incident: Incident, binary: EngineBinary, tmp_path: Path) -> None:
    with set_up(tmp_path, binary, "payments-1") as stage:
        async with stage.shard() as before:
            await asyncio.sleep(2.0)
            await asyncio.to_thread(stage.fleet.inject, incident.id, stage.name)
            async with stage.shard() as after:
                watched, fresh = await asyncio.gather(listen(before, QUIET_SECONDS), listen(after, QUIET_SECONDS))
    record("control", incident.id, incident.title, binary, watched=watched, fresh=fresh)
    assert watched.strays + fresh.strays == []
    assert watched.problems + fresh.problems == []
