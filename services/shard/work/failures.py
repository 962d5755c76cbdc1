"""How many statements failed a second, by the samples of the digests: engines have no counter for all of them."""

from __future__ import annotations

from collections.abc import Sequence

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestSample

_ERRORS = DIGEST_COUNTERS.index("errors")


def failed_per_second(samples: Sequence[DigestSample], since: float, until: float) -> float | None:
    """The rate between two moments of the monotonic clock; None where fewer than two samples lie between them."""
    within = [sample for sample in samples if since <= sample.at <= until]
    if len(within) < 2 or within[-1].at <= within[0].at:
        return None
    first, last = within[0].counters, within[-1].counters
    failed = 0
    for key, now in last.items():
        then = first.get(key)
        if then is not now:
            failed += max(0, now[_ERRORS] - (0 if then is None else then[_ERRORS]))
    return round(failed / (within[-1].at - within[0].at), 3)
