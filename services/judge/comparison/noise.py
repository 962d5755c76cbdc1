"""How far a difference could be chance: resampling the repeats of each pair.

The scenarios of a benchmark are what they are; what varies from one day to the next is what a candidate says to the
same one. So the repeats of each scenario are drawn anew, with replacement, on both sides, and the scenarios are kept.
A candidate that always says the same has an interval without width: any fall of it is real. See Efron and Tibshirani,
An Introduction to the Bootstrap (1993), chapter 8, on resampling within strata.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDS = 2000
CONFIDENCE = 0.95
_SEED = 20261122
"""Fixed, so that two looks at the same runs say the same."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The values of one scorer for one scenario, one a repeat; neither side is empty."""

    baseline: tuple[float, ...]
    candidate: tuple[float, ...]

    @property
    def varies(self) -> bool:
        """Whether repeats differ on either side."""
        return len(set(self.baseline)) > 1 or len(set(self.candidate)) > 1


@dataclass(frozen=True, slots=True)
class Interval:
    """The mean difference, candidate minus baseline, and the ends of its interval."""

    mean: float
    low: float
    high: float


def difference(pairs: Sequence[Pair]) -> Interval:
    """The mean over the pairs of each pair's difference. Raises ValueError without pairs."""
    if not pairs:
        raise ValueError("there is nothing to compare")
    still = sum(_mean(pair.candidate) - _mean(pair.baseline) for pair in pairs if not pair.varies)
    moving = [pair for pair in pairs if pair.varies]
    mean = (still + sum(_mean(pair.candidate) - _mean(pair.baseline) for pair in moving)) / len(pairs)
    if not moving:
        return Interval(mean, mean, mean)
    source = random.Random(_SEED)  # noqa: S311 - statistics, not secrets
    drawn = sorted((still + sum(_drawn(pair, source) for pair in moving)) / len(pairs) for _ in range(ROUNDS))
    tail = int(ROUNDS * (1 - CONFIDENCE) / 2)
    return Interval(mean, drawn[tail], drawn[-tail - 1])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _drawn(pair: Pair, source: random.Random) -> float:
    candidate = source.choices(pair.candidate, k=len(pair.candidate))
    baseline = source.choices(pair.baseline, k=len(pair.baseline))
    return _mean(candidate) - _mean(baseline)
