"""What is kept, as plain values. Times are seconds since the Unix epoch, by the shard's clock."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

StatementKey = tuple[str, str]
"""Schema and digest."""
Counters = tuple[int, ...]
"""The counters of a digest, in the order of `DIGEST_COUNTERS`."""
Content = Mapping[str, str]
"""What a change says, by field."""


class Tier(enum.IntEnum):
    """How finely something is kept; the value is its number in the store."""

    RAW = 0
    """As sampled."""
    FINE = 1
    """Minutes of samples, five minutes of statement work."""
    COARSE = 2
    """Hours of samples."""


@dataclass(frozen=True, slots=True)
class Point:
    """A metric over one period that began at `at`; of a raw sample all three values are the same."""

    at: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Sample:
    """Metrics of one moment; one that is not known is left out."""

    at: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Work:
    """What statements did in the `seconds` before `at`."""

    at: float
    seconds: float
    done: Mapping[StatementKey, Counters]


@dataclass(frozen=True, slots=True)
class SeenStatement:
    """A statement without its literals, and when its work was first and last seen."""

    schema: str
    digest: str
    text: str
    first_seen: float
    last_seen: float

    @property
    def key(self) -> StatementKey:
        """Schema and digest."""
        return (self.schema, self.digest)


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became different: it was still as before at `since` (None: not known) and is as told from `at`."""

    at: float
    kind: str
    content: Content
    since: float | None = None

    @property
    def change_id(self) -> int:
        """The same for the same change, so that recording it twice keeps it once."""
        return number_of(f"{self.kind} {json.dumps(dict(self.content), sort_keys=True)}")


@dataclass(frozen=True, slots=True)
class State:
    """The last known state of something that is watched for changes."""

    at: float
    content: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one look at an instance adds to its history: all of it is kept, or nothing."""

    instance: str
    samples: tuple[Sample, ...] = ()
    work: tuple[Work, ...] = ()
    statements: tuple[SeenStatement, ...] = ()
    changes: tuple[Change, ...] = ()
    states: Mapping[str, State] = field(default_factory=dict)
    forget_after: float | None = None
    """Samples and work from after this moment are dropped first: the clock that dated them was wrong."""

    @property
    def cannot_be_sampled_again(self) -> bool:
        """Whether more would be lost with it than one sample of many."""
        return bool(self.changes or self.states)

    def without_samples(self) -> Batch:
        """What must not be lost of it."""
        return Batch(self.instance, statements=self.statements, changes=self.changes, states=self.states)


def number_of(text: str) -> int:
    """A positive 63-bit number for a text: ids need no table of their own, and are the same in every store."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
