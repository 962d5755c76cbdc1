"""Faults that the lab does not hold, in a schema of their own."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from libs.lab.engines import EngineBinary
from libs.lab.truth import Truth
from tests.integration.shard.matrix.foreign import calls, limits, locks, odd, queues, views, work
from tests.integration.shard.matrix.foreign.clinic import Clinic, Fault, build
from tests.integration.shard.matrix.records import record
from tests.integration.shard.matrix.stage import set_up
from tests.integration.shard.matrix.test_incidents import BEFORE, FOUND_WITHIN
from tests.integration.shard.matrix.watching import Sighting, seen_late, watch

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(240)]

FAULTS = {**calls.FAULTS, **limits.FAULTS, **locks.FAULTS, **odd.FAULTS, **queues.FAULTS, **views.FAULTS, **work.FAULTS}


async def observe(folder: Path, binary: EngineBinary, fault: Fault) -> tuple[Sighting, Sighting]:
    """What a shard that was there before sees, and what one sees that came later."""
    with set_up(folder, binary, "users-1") as stage, ExitStack() as undo:
        clinic: Clinic = await asyncio.to_thread(build, stage.instance.target.administrator, undo)
        async with stage.shard() as before:
            await asyncio.sleep(BEFORE)
            truth: Truth = await asyncio.to_thread(fault.make, clinic)
            watched = await watch(before, truth, FOUND_WITHIN)
        async with stage.shard() as after:
            return watched, await watch(after, truth, FOUND_WITHIN, *seen_late(truth))


@pytest.mark.parametrize("name", FAULTS)
async def test_the_same_causes_are_found_in_other_guises(name: str, binary: EngineBinary, tmp_path: Path) -> None:
    fault = FAULTS[name]
    if fault.only in ("", binary.kind):
        watched, fresh = await observe(tmp_path, binary, fault)
        record("foreign", name, fault.title, binary, watched=watched, fresh=fresh)
        assert (watched.outcome, watched.problems) == ("exact", [])
        assert fresh.outcome == "exact" or not fault.seen_late, fresh.problems
        assert fresh.outcome == "exact" or not fresh.strays
