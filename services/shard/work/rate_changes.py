"""When a rate changed most, and what it was before: pure functions over samples of a counter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from typing import NamedTuple

Counts = Sequence[tuple[float, float]]
"""Times in seconds, and a counter that only grows, oldest first."""

QUIET_TENTH = 0.9
"""Of the time before, so much counts: what was exceeded more seldom is not what was usual."""
LEVELS_APART = 3.0
"""A rate that is so many times another, or so small a part of it, is a level of its own."""
FEWEST_BEFORE = 2
"""Pieces before a change, beyond which the one next to it does not count."""
_SHORTEST = 0.05
"""Two samples closer than this say nothing about a rate, in seconds."""


class Piece(NamedTuple):
    """The rate between two samples."""

    start: float
    end: float
    per_second: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class RateStep:
    """A rate before and after `at`; `least` is the lowest that it has been since."""

    at: float
    before: float
    before_seconds: float
    after: float
    after_seconds: float
    least: float


def pieces_of(counts: Counts) -> list[Piece]:
    """The rates between samples; where a counter fell there is none."""
    return [
        Piece(start, end, (now - then) / (end - start))
        for (start, then), (end, now) in pairwise(counts)
        if end - start >= _SHORTEST and now >= then
    ]


def rate_step(pieces: Sequence[Piece]) -> RateStep | None:
    """The moment that divides the rates best into two levels, by their logarithms; None where there are too few.

    Where the rate has changed much once more since, that is the moment. What came before is the level that was exceeded
    in a tenth of that time only, so that a peak now and then in the past counts, and one alone does not.
    """
    levels = [math.log1p(piece.per_second) for piece in pieces]
    weights = [piece.end - piece.start for piece in pieces]
    place = _best_split(levels, weights, 0)
    if place is None:
        return None
    while (further := _best_split(levels, weights, place)) is not None:
        level, later = _mean(pieces[place:further]), _mean(pieces[further:])
        if level / LEVELS_APART <= later <= level * LEVELS_APART:
            break
        place = further
    before, after = pieces[:place], pieces[place:]
    settled = before[:-1] if place > FEWEST_BEFORE else before  # it may have begun within the last of them
    return RateStep(
        at=after[0].start,
        before=_usual_peak(settled),
        before_seconds=sum(piece.seconds for piece in before),
        after=_mean(after),
        after_seconds=sum(piece.seconds for piece in after),
        least=min(piece.per_second for piece in after),
    )


def mean_rate(counts: Counts, start: float) -> float:
    """The rate from the sample nearest before `start`, or the oldest there is, to the newest; 0 where there is none."""
    first = next((found for found in reversed(counts) if found[0] <= start), counts[0] if counts else None)
    if first is None or counts[-1][0] - first[0] < _SHORTEST:
        return 0.0
    return max(0.0, (counts[-1][1] - first[1]) / (counts[-1][0] - first[0]))


def _best_split(levels: Sequence[float], weights: Sequence[float], first: int) -> int | None:
    """Where, from the first piece on, the variance between both sides is greatest; a piece weighs as it lasted."""
    heavy = [level * weight for level, weight in zip(levels[first:], weights[first:], strict=True)]
    all_weight, all_level = sum(weights[first:]), sum(heavy)
    best, found = -1.0, None
    weight, level = 0.0, 0.0
    for place in range(first + 1, len(levels)):
        weight += weights[place - 1]
        level += heavy[place - 1 - first]
        rest = all_weight - weight
        apart = level / weight - (all_level - level) / rest
        between = weight * rest * apart * apart
        if between > best:
            best, found = between, place
    return found


def _usual_peak(pieces: Sequence[Piece]) -> float:
    """The rate that was exceeded in a tenth of the time."""
    ordered = sorted(pieces, key=lambda piece: piece.per_second)
    left = QUIET_TENTH * sum(piece.seconds for piece in ordered)
    for piece in ordered:
        left -= piece.seconds
        if left <= 0.0:
            return piece.per_second
    return ordered[-1].per_second


def _mean(pieces: Sequence[Piece]) -> float:
    seconds = [piece.end - piece.start for piece in pieces]
    count: float = sum(map(mul, (piece.per_second for piece in pieces), seconds))
    return count / sum(seconds)
