"""When the figure behind a finding began to move, and how: a spike, a step or a drift.

Pure functions over samples. A finding whose detector knows a better time, such as the start of a transaction, keeps it;
the shape is added to all whose figure is sampled.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from libs.core.catalogue import CAUSE
from services.shard.detectors.readings import Readings
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import History
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2

Series = Sequence[tuple[float, float]]
"""Times in seconds of the monotonic clock, and values."""

FEWEST = 6
"""Points below which nothing is said."""
NOW = 5.0
"""The last so many seconds are what the figure is now."""
RECENT = 60.0
"""A spike that is longer over has nothing to do with a finding of now, in seconds."""
DIP = 3.0
"""For so long a figure may fall back without having ended, in seconds."""
GRADUAL = 0.35
"""A figure that took more than this share of the time since its onset to rise drifts."""
FEWEST_RISING = 3
"""Intervals over which it rose: what did so in fewer was too quick to tell a drift from a step."""
LONGEST_INTERVAL = 30.0
"""A rate over more than this says little, in seconds; digests rest for as long."""


@dataclass(frozen=True, slots=True)
class Trend:
    """How a figure moved; the onset in seconds of the monotonic clock. The shape may not be known yet."""

    onset: float
    shape: finding_pb2.Shape.ValueType


@dataclass(frozen=True, slots=True)
class Figure:
    """What is sampled of a kind of finding."""

    grain: float
    """The smallest rise that means anything."""
    rate: str = ""
    """A status counter, by its growth a second."""
    gauge: str = ""
    """A status variable, by its value."""
    of_statement: str = ""
    """A counter of the statement that is the cause, by its growth a second."""
    dates: bool = False
    """Whether its onset is better than the detector's, which only knows its window."""


_LOAD = Figure(0.02e12, of_statement="total_picoseconds", dates=True)

FIGURES: Mapping[str, Figure] = {
    "lock.row_blocker": Figure(1.0, gauge="Innodb_row_lock_current_waits"),
    "lock.unindexed_write": Figure(1.0, gauge="Innodb_row_lock_current_waits"),
    "lock.hot_row": Figure(1.0, rate="Innodb_row_lock_waits", dates=True),
    "lock.deadlock": Figure(0.1, rate="Innodb_deadlocks", dates=True),
    "lock.metadata": Figure(2.0, gauge="Threads_running"),
    "lock.global_read": Figure(2.0, gauge="Threads_running"),
    "query.missing_index": _LOAD,
    "query.temp_spill": _LOAD,
    "query.heavy_scan": _LOAD,
    "query.plan_regression": Figure(0.02e12, of_statement="total_picoseconds"),
    "traffic.n_plus_one": Figure(1.0, of_statement="calls", dates=True),
    "traffic.spike": Figure(1.0, of_statement="calls", dates=True),
    "connections.leak": Figure(5.0, gauge="Threads_connected"),
    "connections.exhausted": Figure(5.0, gauge="Threads_connected", dates=True),
    "innodb.purge_lag": Figure(500.0, gauge="history_list_length"),
    "innodb.buffer_pool": Figure(50.0, rate="Innodb_buffer_pool_reads", dates=True),
    "innodb.flush_per_commit": Figure(20.0, rate="Handler_commit", dates=True),
    "replication.lag": Figure(2.0, gauge="replica_lag_seconds"),
    "access.auth_failed": Figure(0.2, rate="Aborted_connects", dates=True),
}
"""The figure of each kind that has one."""


def add_trend(finding: finding_pb2.Finding, readings: Readings) -> None:
    """Set the finding's shape, and its onset where its detector knows none, or only its window."""
    figure = FIGURES.get(finding.kind)
    if figure is None:
        return
    found = trend(series_of(figure, finding, readings.history), figure.grain)
    if found is None:
        return
    if not finding.shape:
        finding.shape = found.shape
    if figure.dates or not finding.HasField("onset"):
        finding.onset.CopyFrom(timestamp(readings.now - (readings.at - found.onset)))


def series_of(figure: Figure, finding: finding_pb2.Finding, history: History) -> Series:
    """The samples of the finding's figure, oldest first."""
    if figure.of_statement:
        return _of_statement(history, finding, DIGEST_COUNTERS.index(figure.of_statement))
    name = figure.rate or figure.gauge
    points = [(sample.at, sample.values[name]) for sample in history.status if name in sample.values]
    return _rates(points) if figure.rate else points


def _of_statement(history: History, finding: finding_pb2.Finding, counter: int) -> Series:
    digests = {part.value for part in finding.entities if (part.role, part.type) == (CAUSE, "statement_digest")}
    keys = {key for sample in history.digests for key in sample.counters if key[1] in digests}
    points = [
        (sample.at, float(sum(sample.counters[key][counter] for key in keys if key in sample.counters)))
        for sample in history.digests
    ]
    return _rates(points) if keys else []


def _rates(points: Series) -> Series:
    return [
        (at, max(0.0, value - before) / (at - since))
        for (since, before), (at, value) in pairwise(points)
        if 0.0 < at - since <= 2 * LONGEST_INTERVAL
    ]


def trend(series: Series, grain: float) -> Trend | None:
    """How the figure moved to where it is, or None where it did not, or too little is known of before."""
    if len(series) < FEWEST:
        return None
    points = _smooth(series)
    base = statistics.fmean(sorted(value for _, value in points)[: max(2, len(points) // 20)])
    end, last = points[-1]
    now = max(last, statistics.median(value for at, value in points if at >= end - NOW))
    if _rose(base, now, grain):
        return _lasting(points, base, now)
    recent = [place for place, (at, _) in enumerate(points) if at >= end - RECENT]
    top = max(recent, key=lambda place: points[place][1])
    if not _rose(base, points[top][1], grain):
        return None
    start = _start(points, top, (base + points[top][1]) / 2)
    return Trend(points[start][0], finding_pb2.SHAPE_SPIKE) if start else None


def _rose(base: float, level: float, grain: float) -> bool:
    return level >= base + grain and level >= 1.5 * base


def _smooth(series: Series) -> list[tuple[float, float]]:
    """Each value as the median of itself and its neighbours, so that one odd sample is none."""
    values = [value for _, value in series]
    middle = [statistics.median(values[place - 1 : place + 2]) for place in range(1, len(values) - 1)]
    smooth = [min(values[:2]), *middle, min(values[-2:])]
    return [(at, value) for (at, _), value in zip(series, smooth, strict=True)]


def _lasting(points: Series, base: float, now: float) -> Trend | None:
    start = _start(points, len(points) - 1, (base + now) / 2)
    if not start:
        return None  # it was there before the first sample
    low, high = base + 0.1 * (now - base), base + 0.7 * (now - base)
    rise = next((place for place in range(start, -1, -1) if points[place][1] <= low), 0)
    top = next((place for place in range(start, len(points)) if points[place][1] >= high), len(points) - 1)
    took, since = points[top][0] - points[rise][0], points[-1][0] - points[rise][0]
    if top - rise >= FEWEST_RISING and took > GRADUAL * since:
        return Trend(points[rise][0], finding_pb2.SHAPE_DRIFT)
    stays = len(points) - 1 - top > top - rise
    return Trend(points[start][0], finding_pb2.SHAPE_STEP if stays else finding_pb2.SHAPE_UNSPECIFIED)


def _start(points: Series, place: int, threshold: float) -> int:
    """Where the run above the threshold that `place` belongs to begins; 0 where it has no beginning."""
    start = place
    for earlier in range(place, -1, -1):
        at, value = points[earlier]
        if value > threshold:
            start = earlier
        elif points[start][0] - at > DIP:
            break
    return start
