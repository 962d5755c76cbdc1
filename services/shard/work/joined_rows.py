"""Rows that MariaDB reads for joins without an index, through its join buffer, and counts for no statement.

The server counts them all the same, as rows read one after the other (`Handler_read_rnd_next`). What is left of these
when every statement that scans has its own is shared out among the statements that join so, by the time they took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.shard.sampler.history import DigestKey, History
from services.shard.work.digest_window import DigestDelta

SCANNED = "Handler_read_rnd_next"
FASTEST = 1e6
"""Rows a second that such a join compares, about: more is not made of the time that it took."""
_SHARE = 0.5
"""Share of the calls that joined without an index, from which on a statement is one that does."""
_PICO = 1e12


def joined_rows(
    deltas: Sequence[DigestDelta], history: History, since: float, seconds: float
) -> Mapping[DigestKey, int]:
    """The estimate for each statement that joins without an index, over so many seconds since a moment."""
    joins = [one for one in deltas if one.counters["full_joins"] >= _SHARE * one.counters["calls"]]
    busy = sum(one.counters["total_picoseconds"] for one in joins)
    if not busy:
        return {}
    counted = sum(one.counters["rows_examined"] for one in deltas if _scans(one.counters))
    left = _rate(history, since) * seconds - counted
    if left <= 0:
        return {}
    found = {}
    for one in joins:
        took = one.counters["total_picoseconds"]
        found[one.key] = int(min(left * took / busy, took / _PICO * FASTEST))
    return found


def _scans(counters: Mapping[str, int]) -> bool:
    return bool(counters["full_scans"] or counters["full_joins"] or counters["no_index_used"])


def _rate(history: History, since: float) -> float:
    """Rows a second that the server read one after the other."""
    samples = [one for one in history.status if SCANNED in one.values]
    first = next((one for one in reversed(samples) if one.at <= since), samples[0] if samples else None)
    if first is None or samples[-1].at <= first.at:
        return 0.0
    return max(0.0, samples[-1].values[SCANNED] - first.values[SCANNED]) / (samples[-1].at - first.at)
