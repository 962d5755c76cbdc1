"""What each digest did between two readings of the engine's cumulative counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestCounters, DigestKey
from services.shard.view import text, whole

_CALLS = DIGEST_COUNTERS.index("calls")
_OTHERS = ""
"""The digest of the row that takes everything once the engine's table is full."""


@dataclass(frozen=True, slots=True)
class DigestDelta:
    """One digest's counters over a window."""

    schema: str
    digest: str
    digest_text: str
    counters: Mapping[str, int]

    @property
    def key(self) -> DigestKey:
        """What it is counted under."""
        return (self.schema, self.digest)


def cumulative(
    rows: Iterable[Row], before: Mapping[DigestKey, DigestCounters] = MappingProxyType({})
) -> dict[DigestKey, DigestCounters]:
    """The counters of each row of `Statement.DIGESTS`.

    What is as it was in `before`, the sample before this one, is shared with it: most statements of a server rest.
    """
    known = {key: (key, counters) for key, counters in before.items()}
    found: dict[DigestKey, DigestCounters] = {}
    for row in rows:
        key, counters = _key(row), tuple(whole(row[counter]) for counter in DIGEST_COUNTERS)
        same_key, same_counters = known.get(key, (key, counters))
        found[same_key] = same_counters if same_counters == counters else counters
    return found


def deltas(rows: Iterable[Row], before: Mapping[DigestKey, DigestCounters]) -> list[DigestDelta]:
    """What ended since `before`; a digest whose counters fell was reset in between, and counts from zero."""
    found = []
    for row in rows:
        now = tuple(whole(row[counter]) for counter in DIGEST_COUNTERS)
        then = before.get(_key(row), (0,) * len(now))
        if now[_CALLS] < then[_CALLS]:
            then = (0,) * len(now)
        if now[_CALLS] > then[_CALLS] and text(row["digest"]) != _OTHERS:
            counters = dict(zip(DIGEST_COUNTERS, (max(0, a - b) for a, b in zip(now, then, strict=True)), strict=True))
            schema, digest = _key(row)
            found.append(DigestDelta(schema, digest, text(row["digest_text"]), counters))
    return found


def lost_calls(rows: Iterable[Row], before: Mapping[DigestKey, DigestCounters]) -> int:
    """Calls in the window that the engine counted under no digest, because its table is full."""
    return sum(
        max(0, whole(row["calls"]) - before.get(_key(row), (0,))[_CALLS])
        for row in rows
        if text(row["digest"]) == _OTHERS
    )


def _key(row: Row) -> DigestKey:
    return (text(row["schema_name"]), text(row["digest"]))
