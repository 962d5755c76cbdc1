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
_TIME = DIGEST_COUNTERS.index("total_picoseconds")
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


@dataclass(frozen=True, slots=True)
class LostWork:
    """Calls that the engine counted under no digest, because its table is full, and the time that they took."""

    calls: int
    picoseconds: int


def lost_work(rows: Iterable[Row], before: Mapping[DigestKey, DigestCounters]) -> LostWork:
    """What was lost since `before`."""
    nothing = (0,) * len(DIGEST_COUNTERS)
    others = [(row, before.get(_key(row), nothing)) for row in rows if text(row["digest"]) == _OTHERS]
    return LostWork(
        sum(max(0, whole(row["calls"]) - then[_CALLS]) for row, then in others),
        sum(max(0, whole(row["total_picoseconds"]) - then[_TIME]) for row, then in others),
    )


def lost_between(now: Mapping[DigestKey, DigestCounters], before: Mapping[DigestKey, DigestCounters]) -> LostWork:
    """What was lost from one sample to another."""
    nothing = (0,) * len(DIGEST_COUNTERS)
    others = [(counters, before.get(key, nothing)) for key, counters in now.items() if key[1] == _OTHERS]
    return LostWork(
        sum(max(0, counters[_CALLS] - then[_CALLS]) for counters, then in others),
        sum(max(0, counters[_TIME] - then[_TIME]) for counters, then in others),
    )


def _key(row: Row) -> DigestKey:
    return (text(row["schema_name"]), text(row["digest"]))
