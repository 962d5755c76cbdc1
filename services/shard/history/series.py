"""A metric over a range of time, from the tiers that hold it, in even steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from services.shard.history.ranges import Range
from services.shard.stores.records import Point, Tier
from services.shard.stores.retention import DEFAULT, FINER, SAMPLE_PERIODS

MOST_POINTS = 2_000
USUAL_POINTS = 300
SHORTEST_GAP = 5.0
"""Samples come every second or so; so much time without one is a gap, in seconds."""
_GAP_STEPS = 2.5

Fetch = Callable[[Tier, float, float], list[Point]]
"""Points of one tier in a range."""


def usual_step(asked: Range) -> float:
    """A step that makes a readable number of points: whole seconds, minutes or hours."""
    wanted = asked.seconds / USUAL_POINTS
    units = (1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0)
    return next((unit for unit in units if unit >= wanted), math.ceil(wanted / 86_400.0) * 86_400.0)


def tier_for(asked: Range, step: float, now: float) -> Tier:
    """The tier that is fine enough for the step and still kept at the range's start, as far as there is one."""
    for tier in Tier:
        coarser = SAMPLE_PERIODS.get(Tier(tier + 1)) if tier < max(Tier) else None
        if asked.start >= now - DEFAULT.reach(tier) and (coarser is None or step < coarser):
            return tier
    return max(Tier)


def read_points(fetch: Fetch, tier: Tier, asked: Range) -> list[Point]:
    """The points of a tier; what it has not been given yet comes from the finer ones."""
    points = fetch(tier, asked.start, asked.end)
    if tier is Tier.RAW:
        return points
    period = SAMPLE_PERIODS[tier]
    rest = points[-1].at + period if points else asked.start
    if rest >= asked.end:
        return points
    return points + read_points(fetch, FINER[tier], Range(rest, asked.end))


def in_steps(points: Iterable[Point], step: float) -> list[Point]:
    """One point for each step that has any."""
    steps: dict[float, list[Point]] = {}
    for point in points:
        steps.setdefault(point.at // step * step, []).append(point)
    return [
        Point(
            at,
            math.fsum(point.mean for point in found) / len(found),
            min(point.low for point in found),
            max(point.high for point in found),
        )
        for at, found in sorted(steps.items())
    ]


def gaps_in(points: Sequence[Point], asked: Range, spacing: float) -> list[Range]:
    """The times of the range without a point, where points are `spacing` seconds apart."""
    longest = max(SHORTEST_GAP, _GAP_STEPS * spacing)
    gaps, last = [], asked.start - spacing
    for at in [*(point.at for point in points), asked.end]:
        if at - last > longest:
            gaps.append(Range(max(asked.start, last + spacing), at))
        last = at
    return gaps
