"""Asks for an instance's health until the answer is right; notes how long that took and what was wrong on the way."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Literal

from libs.lab.truth import Truth
from services.shard.health import assess
from services.shard.instances import Instance
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from tests.integration.shard.matrix.judging import Root, problems, roots_of, strays

Outcome = Literal["exact", "extra", "wrong", "missed", "blind"]
"""Right; right with a cause too many; the cause with wrong parts; nothing of it; not seen and said so."""

PAUSE = 0.5
"""Seconds between two questions."""
CONFIRMING = 3
"""So many right answers in a row are no accident."""


@dataclass(slots=True)
class Sighting:
    """What came of watching for one truth."""

    outcome: Outcome = "missed"
    seconds: float | None = None
    """Until the first of the answers that were right in a row."""
    problems: list[str] = field(default_factory=list)
    """What was wrong with the last answer."""
    strays: list[str] = field(default_factory=list)
    """Causes that are not there and were reported at any time."""


async def look(instance: Instance) -> diagnostics_pb2.InstanceHealth:
    """The instance's health now."""
    return await assess(instance.view, {})


async def watch(instance: Instance, truth: Truth, seconds: float) -> Sighting:
    """Ask until the answers are right, for so many seconds at most."""
    began, sighting, right = time.monotonic(), Sighting(), 0
    while True:
        asked = time.monotonic() - began
        health = await look(instance)
        roots = roots_of(health)
        sighting.problems = problems(roots, truth)
        sighting.strays += [stray for stray in strays(roots, truth) if _kind(stray) not in map(_kind, sighting.strays)]
        if not sighting.problems:
            right += 1
            sighting.seconds = round(time.monotonic() - began, 1) if right == 1 else sighting.seconds
            if right == CONFIRMING:
                sighting.outcome = "exact"
                return sighting
        elif asked > seconds:
            sighting.seconds, sighting.outcome = None, _outcome(health, roots, truth)
            return sighting
        else:
            right = 0
        await asyncio.sleep(PAUSE)


def _kind(stray: str) -> str:
    return stray.partition(":")[0]


def _outcome(health: diagnostics_pb2.InstanceHealth, roots: list[Root], truth: Truth) -> Outcome:
    reported = {root.kind for root in roots}
    there = {fault.kind for fault in truth.faults}
    if there <= reported:
        return "extra" if reported - there else "wrong"
    results = {check.kind: check.result for check in health.checks}
    unseen = all(results.get(kind) == finding_pb2.CHECK_RESULT_NOT_CHECKED for kind in there - reported)
    return "blind" if unseen and not reported - there else "missed"
