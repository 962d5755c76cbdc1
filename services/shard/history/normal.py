"""What is normal for a metric: a robust baseline of the same series, and how far from it a window is.

Medians and percentiles instead of means, so that last week's incident does not become normal, and the same hour of the
days before where there are enough of them, for the night is not the day.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.shard.history.ranges import Range
from services.shard.stores.records import Point, Tier
from services.shard.stores.retention import DAY, DEFAULT
from services.shard.stores.store import HistoryStore
from storex.history.v1 import history_pb2

RECENT, SAME_HOUR = history_pb2.NORMAL_BASIS_RECENT, history_pb2.NORMAL_BASIS_SAME_HOUR
NOTHING = history_pb2.NORMAL_BASIS_UNSPECIFIED

DAYS_BACK = 14
FEWEST_DAYS = 3
"""Days with the same hour on record, below which the time right before the window says more."""
FEWEST_MINUTES = 10
"""Minutes that a baseline, or one day of it, needs."""
RECENT_SECONDS = 6 * 3600.0
FEWEST_SAMPLES = 30
"""Samples that a baseline needs where there are no minutes yet."""
FAR = 4.0
"""Robust standard deviations from which a value is far from normal."""
MOST_DEVIATIONS = 1e6
_MAD_TO_SIGMA = 1.4826
"""The standard deviation of a normal distribution, over its median absolute deviation."""
_SHARE = 0.05
"""A difference of less than this share of the median is not worth a word."""
_GRAINS: Mapping[str, float] = {
    "1/s": 0.5, "B/s": 10_000.0, "1": 1.0, "ratio": 0.01, "s": 1.0, "ms/s": 10.0, "B": 1_000_000.0
}  # fmt: skip
"""By unit, the smallest deviation that means anything: the first deadlock of a month is no outlier of 10¹² sigmas."""

Rows = list[tuple[float, Mapping[str, Point]]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the samples of one metric looked like."""

    median: float
    deviation: float
    """Median absolute deviation."""
    fifth: float
    ninety_fifth: float
    lowest: float
    highest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Baseline:
        """The baseline of at least one value."""
        ordered = sorted(values)
        median = statistics.median(ordered)
        return cls(
            median=median,
            deviation=statistics.median(abs(value - median) for value in ordered),
            fifth=_percentile(ordered, 0.05),
            ninety_fifth=_percentile(ordered, 0.95),
            lowest=ordered[0],
            highest=ordered[-1],
            count=len(ordered),
        )

    def deviations(self, value: float, unit: str) -> float:
        """How many robust standard deviations a value is from the median."""
        spread = max(
            _MAD_TO_SIGMA * self.deviation,
            (self.ninety_fifth - self.fifth) / 3.29,  # of a normal distribution that is 3.29 standard deviations
            _SHARE * abs(self.median),
            _GRAINS.get(unit, 1.0),
        )
        return max(-MOST_DEVIATIONS, min(MOST_DEVIATIONS, (value - self.median) / spread))

    def is_unusual(self, value: float, unit: str) -> bool:
        """Whether a value is far from the median, and outside of all that there was."""
        return abs(self.deviations(value, unit)) >= FAR and not self.lowest <= value <= self.highest


@dataclass(frozen=True, slots=True)
class Normals:
    """Baselines by metric, what they were made from, and the means over the window."""

    basis: history_pb2.NormalBasis.ValueType
    days: int
    baselines: Mapping[str, Baseline]
    current: Mapping[str, float]


def read_normals(store: HistoryStore, instance: str, window: Range, now: float) -> Normals:
    """The baselines of all metrics for a window. Raises StorexError STORE_UNAVAILABLE."""
    current = _columns(_window_rows(store, instance, window, now))
    means = {metric: math.fsum(values) / len(values) for metric, values in current.items()}
    basis, days, rows = _baseline_rows(store, instance, window)
    baselines = {metric: Baseline.of(values) for metric, values in _columns(rows).items()}
    return Normals(basis, days, baselines, means)


def _window_rows(store: HistoryStore, instance: str, window: Range, now: float) -> Rows:
    if window.start >= now - DEFAULT.reach(Tier.RAW):
        return store.rows(instance, Tier.RAW, window.start, window.end)
    tier = Tier.FINE if window.start >= now - DEFAULT.reach(Tier.FINE) else Tier.COARSE
    # The last period that began before the window's end, where the window is shorter than a period.
    period = 60.0 if tier is Tier.FINE else 3600.0
    return store.rows(instance, tier, min(window.start, window.end - period), window.end)


def _baseline_rows(
    store: HistoryStore, instance: str, window: Range
) -> tuple[history_pb2.NormalBasis.ValueType, int, Rows]:
    days = []
    for day in range(1, DAYS_BACK + 1):
        middle = (window.start + window.end) / 2 - day * DAY
        rows = store.rows(instance, Tier.FINE, middle - 1800.0, middle + 1800.0)
        if len(rows) >= FEWEST_MINUTES:
            days.append(rows)
    if len(days) >= FEWEST_DAYS:
        return SAME_HOUR, len(days), [row for rows in days for row in rows]
    for tier, fewest in ((Tier.FINE, FEWEST_MINUTES), (Tier.RAW, FEWEST_SAMPLES)):
        rows = store.rows(instance, tier, window.start - RECENT_SECONDS, window.start)
        if len(rows) >= fewest:
            return RECENT, 1, rows
    return NOTHING, 0, []


def _columns(rows: Rows) -> dict[str, list[float]]:
    columns: dict[str, list[float]] = {}
    for _, points in rows:
        for metric, point in points.items():
            columns.setdefault(metric, []).append(point.mean)
    return columns


def _percentile(ordered: Sequence[float], share: float) -> float:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
