"""Asks for an instance's health until the answer is right; notes how long that took and what was wrong on the way."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Literal

from libs.lab.truth import HEALTHY, Truth
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


NOT_SHOWN: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("access.auth_failed", "MariaDB"): (("cause", "user"), ("cause", "host")),
    ("replication.lag", "MariaDB"): (("affected", "table"),),
}
"""Parts of a cause that a kind of server does not show: whose logins it refuses, and what its applier is at work on."""

LATE = {
    "query.plan_regression": ("query.missing_index", "query.heavy_scan"),
    "traffic.spike": (HEALTHY,),
}
"""What stands for a cause where nobody saw how it was before; traffic that never was less is usual traffic."""


def seen_late(truth: Truth) -> list[Truth]:
    """What is right as well for a shard that came too late to know what was normal."""
    return [replace(truth, kind=kind) for kind in LATE.get(truth.kind, ())]


def shown(truth: Truth, kind: str) -> Truth:
    """The truth without what a kind of server does not show."""
    unseen = NOT_SHOWN.get((truth.kind, kind), ())
    seen = tuple(entity for entity in truth.entities if entity[:2] not in unseen)
    return Truth(truth.kind, seen, tuple(shown(fault, kind) for fault in truth.also))


async def look(instance: Instance) -> diagnostics_pb2.InstanceHealth:
    """The instance's health now, as the shard answers it."""
    return await instance.health.current()


async def watch(instance: Instance, truth: Truth, seconds: float, *or_else: Truth) -> Sighting:
    """Ask until the answers are right by one of these truths, for so many seconds at most."""
    began, sighting, right = time.monotonic(), Sighting(), 0
    while True:
        asked = time.monotonic() - began
        health = await look(instance)
        roots = roots_of(health)
        sighting.problems = min((problems(roots, one) for one in (truth, *or_else)), key=len)
        known = [*map(_kind, sighting.strays), *(one.kind for one in or_else)]
        sighting.strays += [stray for stray in strays(roots, truth) if _kind(stray) not in known]
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
