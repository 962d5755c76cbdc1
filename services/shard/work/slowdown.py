"""What statements cost since a moment against what the same ones cost before: pure functions over digest samples.

Engines count since their start. What a call cost lately is the difference of two samples, on either side of the moment;
the mean since the start is none, for it may be made of a night's batches or of a cold cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestCounters, DigestKey, DigestSample
from storex.diagnostics.v1 import maintenance_pb2

FEWEST_BEFORE, FEWEST_SINCE = 10, 5
"""Calls of a statement on either side, below which an average says little."""
WATCHED = 2.0
"""A sample that is so much older than the moment is one from before it, in seconds."""
BASELINE = 300.0
"""What calls cost before is measured over this long before the last sample from then, in seconds, if that is known."""
_CALLS, _TIME = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("total_picoseconds")
_NONE: DigestCounters = (0,) * len(DIGEST_COUNTERS)
_PICO = 1e12


def slowdown_since(
    samples: Iterable[DigestSample], at: float, counts: Callable[[DigestKey], bool]
) -> maintenance_pb2.Slowdown | None:
    """The cost since `at`, in seconds of the monotonic clock, of the statements that count.

    None where nothing was sampled since. Without two samples from before, or where too few calls ended on either side,
    it only tells how many sessions were busy, over all that was sampled.
    """
    known = list(samples)
    earlier = [sample for sample in known if sample.at <= at - WATCHED]
    start = earlier[-1] if earlier else known[0] if known else None
    if start is None or known[-1] is start:
        return None
    newest = known[-1]
    span = newest.at - start.at
    busy = sum(_since(newest, start, key)[_TIME] for key in newest.counters if counts(key)) / _PICO
    found = maintenance_pb2.Slowdown(load=round(busy / span, 3))
    base = next((sample for sample in earlier if sample.at >= start.at - BASELINE), start)
    keys = [key for key in newest.counters if counts(key)] if base is not start else []
    pairs = [(_since(newest, start, key), _since(start, base, key)) for key in keys]
    enough = [(now, then) for now, then in pairs if now[_CALLS] >= FEWEST_SINCE and then[_CALLS] >= FEWEST_BEFORE]
    calls = sum(now[_CALLS] for now, _ in enough)
    took = sum(now[_TIME] for now, _ in enough) / _PICO
    expected = sum(now[_CALLS] * then[_TIME] / then[_CALLS] for now, then in enough) / _PICO
    if expected > 0.0:
        found.calls = calls
        found.average_seconds = round(took / calls, 6)
        found.earlier_average_seconds = round(expected / calls, 6)
        found.factor = round(took / expected, 2)
        found.added_load = round((took - expected) / span, 3)
    return found


def _since(newer: DigestSample, older: DigestSample, key: DigestKey) -> DigestCounters:
    """By how much a statement's counters grew; those that fell were reset in between, and count from nothing."""
    now, then = newer.counters.get(key, _NONE), older.counters.get(key, _NONE)
    if now[_CALLS] < then[_CALLS] or now[_TIME] < then[_TIME]:
        then = _NONE
    return tuple(a - b for a, b in zip(now, then, strict=True))
