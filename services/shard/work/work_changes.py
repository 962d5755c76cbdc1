"""When the work that a call of a statement makes changed most: pure functions over samples of its counters.

Engines count since their start, so that even the first sample tells what a call cost on average before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestCounters, DigestSample
from services.shard.work.digest_window import DigestDelta
from services.shard.work.joined_rows import FASTEST

FEWEST_BEFORE, FEWEST_AFTER = 10, 5
"""Calls on either side of a change, below which an average says little."""
STILL = 0.2
"""Share of the rows since a change that the latest calls read at least, while it lasts."""
_SHARE = 0.5
"""Share of the calls from which on a statement joins without an index."""

_FULL_JOINS = DIGEST_COUNTERS.index("full_joins")
_PICO = 1e12


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call cost on average."""

    calls: int
    seconds: float
    rows_examined: float
    rows_returned: float
    unindexed_share: float


@dataclass(frozen=True, slots=True)
class Change:
    """Before and after `at`, in seconds of the monotonic clock."""

    at: float
    before: Cost
    after: Cost


def unindexed_calls(counters: Mapping[str, int]) -> int:
    """Calls that read something whole, as the counter tells that is set most often; never more than the calls.

    Reading all of an index counts as a scan, though not as "no index used".
    """
    most = max(counters["no_index_used"], counters["full_joins"], counters["full_scans"])
    return min(counters["calls"], most)


def work_change(
    samples: Iterable[DigestSample],
    statement: DigestDelta,
    now: DigestCounters,
    at: float,
    *,
    joins_uncounted: bool = False,
) -> Change | None:
    """The moment that divides the rows a call reads best, where that is more after it than before.

    `now` are the counters at the time `at`. None where no sample leaves enough calls on both sides, or where the latest
    calls read much less again: that change is over. With `joins_uncounted` the engine does not count what it reads for
    joins without an index: for a statement that begins to join so, it is estimated by the time that this takes.
    """
    best: Change | None = None
    latest: Cost | None = None
    last = (at, now)
    for sample in reversed(list(samples)):
        then = sample.counters.get(statement.key)
        if then is None or then[0] > last[1][0]:
            break  # not there yet, or reset in between
        nothing = (0,) * len(then)
        before, after = _cost(then, nothing), _cost(now, then)
        if joins_uncounted and _joined_share(then, nothing) < _SHARE <= _joined_share(now, then):
            after = replace(after, rows_examined=max(after.rows_examined, after.seconds * FASTEST))
        if before.calls >= FEWEST_BEFORE and after.calls >= FEWEST_AFTER:
            latest = latest or after
            found = Change(last[0], before, after)
            if _rise(found) > (1.0 if best is None else _rise(best)):
                best = found
        last = (sample.at, then)
    if best is None or latest is None or latest.rows_examined < STILL * best.after.rows_examined:
        return None
    return best


def _joined_share(now: DigestCounters, then: DigestCounters) -> float:
    return (now[_FULL_JOINS] - then[_FULL_JOINS]) / max(1, now[0] - then[0])


def _rise(change: Change) -> float:
    return change.after.rows_examined / max(1.0, change.before.rows_examined)


def _cost(now: DigestCounters, then: DigestCounters) -> Cost:
    grown = {name: max(0, a - b) for name, a, b in zip(DIGEST_COUNTERS, now, then, strict=True)}
    calls = max(1, grown["calls"])
    return Cost(
        calls=grown["calls"],
        seconds=grown["total_picoseconds"] / _PICO / calls,
        rows_examined=grown["rows_examined"] / calls,
        rows_returned=(grown["rows_sent"] + grown["rows_affected"]) / calls,
        unindexed_share=unindexed_calls(grown) / calls,
    )
