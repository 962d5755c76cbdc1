"""How long each tier is kept, and how finer tiers become coarser ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.shard.stores.records import Counters, Point, StatementKey, Tier, Work


@dataclass(frozen=True, slots=True)
class Retention:
    """For how long something is kept, in seconds; raw data becomes minutes, minutes hours, at their tiers' periods."""

    samples: Mapping[Tier, float]
    work: Mapping[Tier, float]
    statements: float
    changes: float

    def reach(self, tier: Tier) -> float:
        """How far back a tier of samples goes, in seconds."""
        return self.samples[tier]


DAY = 86_400.0
DEFAULT = Retention(
    samples={Tier.RAW: 2 * 3600.0, Tier.FINE: 15 * DAY, Tier.COARSE: 400 * DAY},
    work={Tier.RAW: 6 * 3600.0, Tier.FINE: 15 * DAY},
    statements=30 * DAY,
    changes=400 * DAY,
)
"""Two weeks of minutes hold the same hour of a normal day often enough; a year of hours shows the same season."""

SAMPLE_PERIODS: Mapping[Tier, float] = {Tier.FINE: 60.0, Tier.COARSE: 3600.0}
"""The periods that samples are rolled up into, in seconds."""
WORK_PERIODS: Mapping[Tier, float] = {Tier.FINE: 300.0}
"""The periods that statement work is rolled up into, in seconds."""
FINER: Mapping[Tier, Tier] = {Tier.FINE: Tier.RAW, Tier.COARSE: Tier.FINE}
"""What each tier is made from."""


def summarise(rows: Iterable[tuple[float, ...]], width: int) -> list[tuple[float, float, float]]:
    """Mean, lowest and highest of each metric over packed rows of `width` numbers a metric; NaN where none is known."""
    columns: Sequence[tuple[float, ...]] = list(zip(*rows, strict=True))
    summary = []
    for place in range(0, len(columns), width):
        means = [value for value in columns[place] if not math.isnan(value)]
        if not means:
            summary.append((math.nan, math.nan, math.nan))
            continue
        low = min(value for value in columns[place + (1 if width > 1 else 0)] if not math.isnan(value))
        high = max(value for value in columns[place + (2 if width > 1 else 0)] if not math.isnan(value))
        summary.append((math.fsum(means) / len(means), low, high))
    return summary


def point_of(at: float, numbers: Sequence[float]) -> Point | None:
    """The point of one metric's numbers, one of them or mean, low and high; None where it is not known."""
    if math.isnan(numbers[0]):
        return None
    return Point(at, numbers[0], numbers[0 if len(numbers) == 1 else 1], numbers[0 if len(numbers) == 1 else 2])


def total_work(at: float, pieces: Sequence[Work]) -> Work:
    """The work of several pieces as one that ends at `at`."""
    done: dict[StatementKey, Counters] = {}
    for piece in pieces:
        for key, counters in piece.done.items():
            known = done.get(key)
            done[key] = counters if known is None else tuple(a + b for a, b in zip(known, counters, strict=True))
    return Work(at, math.fsum(piece.seconds for piece in pieces), done)
