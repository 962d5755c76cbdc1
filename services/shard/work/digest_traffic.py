"""How often each statement is sent now and before, out of samples of the digests: for the collector of traffic."""

from __future__ import annotations

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestCounters, DigestKey, DigestSample
from services.shard.view import InstanceView
from services.shard.work.client_traffic import rate_change_of
from services.shard.work.statement_texts import KnownStatement
from services.shard.work.system_statements import is_system
from storex.diagnostics.v1 import traffic_pb2

MOST_FOLLOWED = 20
"""Statements whose rates are followed back, which takes time: those with most calls in the window."""
NOTHING_BEFORE = 0.01
"""Less than this part of what is sent now is nothing: a few calls while one looks whether it works."""
_CALLS, _TIME, _ERRORS = (DIGEST_COUNTERS.index(name) for name in ("calls", "total_picoseconds", "errors"))
_NONE: DigestCounters = (0,) * len(DIGEST_COUNTERS)
_PICO = 1e12


def digest_traffic(view: InstanceView, window: float) -> list[traffic_pb2.DigestTraffic]:
    """The statements of applications, those first that grew most."""
    samples = list(view.history.digests)
    if len(samples) < 2:
        return []
    last = samples[-1]
    then = view.history.digests_before(last.at, window) or samples[0]
    calls = {key: _calls(last, key) - _calls(then, key) for key in last.counters}
    busiest = sorted((key for key in calls if calls[key] > 0), key=lambda key: -calls[key])
    epoch = view.clock.now() - view.clock.monotonic()
    found: list[traffic_pb2.DigestTraffic] = []
    for key in busiest:
        if len(found) >= MOST_FOLLOWED:
            break
        known = view.texts.get(key[1])
        if known is not None and key[1] and not is_system(key[0], known.tables):
            found.append(_followed(samples, key, known, window, epoch))
    found.sort(key=lambda one: (-one.calls.increase_per_second, -one.calls.per_second))
    return found


def _calls(sample: DigestSample, key: DigestKey) -> int:
    return sample.counters.get(key, _NONE)[_CALLS]


def _followed(
    samples: list[DigestSample], key: DigestKey, known: KnownStatement, window: float, epoch: float
) -> traffic_pb2.DigestTraffic:
    change = rate_change_of([(sample.at, float(_calls(sample, key))) for sample in samples], window, epoch)
    at = change.changed_at.ToNanoseconds() / 1e9 - epoch
    middle = next((sample for sample in samples if sample.at >= at - 0.001), samples[-1])
    first, between, last = (sample.counters.get(key, _NONE) for sample in (samples[0], middle, samples[-1]))
    # Engines count since their start: even before the first sample a call had its cost.
    before = between if between[_CALLS] - first[_CALLS] < 1 else _less(between, first)
    after = _less(last, between)
    return traffic_pb2.DigestTraffic(
        statement=known.proto(),
        schema=key[0],
        tables=[table if "." in table or not key[0] else f"{key[0]}.{table}" for table in known.tables],
        calls=change,
        average_seconds=_average(after),
        earlier_average_seconds=_average(before),
        is_new=change.earlier_per_second < NOTHING_BEFORE * change.per_second,
        failed_ratio=round(min(1.0, after[_ERRORS] / after[_CALLS]), 4) if after[_CALLS] else 0.0,
    )


def _less(now: DigestCounters, then: DigestCounters) -> DigestCounters:
    return tuple(max(0, a - b) for a, b in zip(now, then, strict=True))


def _average(counters: DigestCounters) -> float:
    return round(counters[_TIME] / _PICO / counters[_CALLS], 6) if counters[_CALLS] else 0.0
