"""The metrics that are kept for each statement digest, out of its recorded work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from services.shard.history.ranges import Range
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.statement_work import PIECE_SECONDS
from services.shard.stores.records import Point, Tier, Work
from services.shard.stores.retention import DEFAULT, WORK_PERIODS
from services.shard.stores.store import HistoryStore

Totals = Mapping[str, float]
"""A statement's counters by their names."""


@dataclass(frozen=True, slots=True)
class StatementMetric:
    """A series of one statement; `value` makes it from counters over so many seconds, None where it has none."""

    name: str
    unit: str
    text: str
    value: Callable[[Totals, float], float | None]


def _per_call(counter: str, scale: float = 1.0) -> Callable[[Totals, float], float | None]:
    return lambda totals, _: totals[counter] * scale / totals["calls"] if totals["calls"] else None


_METRICS = (
    StatementMetric(
        "statement_calls_per_second",
        "1/s",
        "Calls of the statement.",
        lambda totals, seconds: totals["calls"] / seconds,
    ),
    StatementMetric(
        "statement_load",
        "1",
        "Sessions busy with the statement, on average.",
        lambda totals, seconds: totals["total_picoseconds"] / 1e12 / seconds,
    ),
    StatementMetric("statement_average_seconds", "s", "Time of one call.", _per_call("total_picoseconds", 1e-12)),
    StatementMetric("statement_rows_examined_per_call", "1", "Rows that one call reads.", _per_call("rows_examined")),
    StatementMetric("statement_rows_sent_per_call", "1", "Rows that one call returns.", _per_call("rows_sent")),
)

STATEMENT_METRICS: dict[str, StatementMetric] = {metric.name: metric for metric in _METRICS}
"""Every metric of a statement by its name."""


def recorded_work(
    store: HistoryStore, instance: str, asked: Range, step: float, now: float
) -> tuple[list[Work], float]:
    """The pieces of work that ended in a range, as fine as a step needs and as is still kept, and their length.

    Raises StorexError STORE_UNAVAILABLE.
    """
    fine = step >= WORK_PERIODS[Tier.FINE] or asked.start < now - DEFAULT.work[Tier.RAW]
    pieces = store.work(instance, Tier.FINE, asked.start, asked.end) if fine else []
    rest = pieces[-1].at + 0.001 if pieces else asked.start
    pieces += store.work(instance, Tier.RAW, rest, asked.end)
    return pieces, WORK_PERIODS[Tier.FINE] if fine else PIECE_SECONDS


def statement_points(metric: StatementMetric, digest: str, pieces: Iterable[Work]) -> list[Point]:
    """The metric of the statement in every schema that it ran in, one point for each piece of work."""
    points = []
    for piece in pieces:
        totals = dict.fromkeys(DIGEST_COUNTERS, 0.0)
        for (_, found), counters in piece.done.items():
            if found == digest:
                for name, count in zip(DIGEST_COUNTERS, counters, strict=True):
                    totals[name] += count
        value = metric.value(totals, max(piece.seconds, 1e-3))
        if value is not None:
            points.append(Point(piece.at - piece.seconds, value, value, value))
    return points
