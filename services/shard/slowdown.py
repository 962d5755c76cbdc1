"""What statements cost since a moment against what the same ones cost before: pure functions over digest samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestCounters, DigestKey, DigestSample
from storex.diagnostics.v1 import maintenance_pb2

FEWEST_BEFORE, FEWEST_SINCE = 10, 5
"""Calls of a statement on either side, below which an average says little."""
WATCHED = 2.0
"""A sample that is so much older than the moment is one from before it, in seconds."""
_CALLS, _TIME = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("total_picoseconds")
_NONE: DigestCounters = (0,) * len(DIGEST_COUNTERS)
_PICO = 1e12


def slowdown_since(
    samples: Iterable[DigestSample], at: float, counts: Callable[[DigestKey], bool]
) -> maintenance_pb2.Slowdown | None:
    """The cost since `at`, in seconds of the monotonic clock, of the statements that count.

    Engines count since their start, so that the first sample from before `at` tells what a call cost until then. None
    where there is no such sample, or too few calls have ended since.
    """
    known = list(samples)
    before = next((sample for sample in reversed(known) if sample.at <= at - WATCHED), None)
    if before is None or known[-1] is before:
        return None
    newest, calls, took, expected = known[-1], 0, 0.0, 0.0
    for key, now in newest.counters.items():
        then = before.counters.get(key, _NONE)
        since = now[_CALLS] - then[_CALLS]
        if then is now or since < FEWEST_SINCE or then[_CALLS] < FEWEST_BEFORE or not counts(key):
            continue
        calls += since
        took += (now[_TIME] - then[_TIME]) / _PICO
        expected += since * then[_TIME] / then[_CALLS] / _PICO
    if not calls or expected <= 0.0:
        return None
    return maintenance_pb2.Slowdown(
        calls=calls,
        average_seconds=round(took / calls, 6),
        earlier_average_seconds=round(expected / calls, 6),
        factor=round(took / expected, 2),
        added_load=round((took - expected) / (newest.at - before.at), 3),
    )
