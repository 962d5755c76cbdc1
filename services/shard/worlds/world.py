"""A world as plain values: what a snapshot holds of each instance in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.core.errors import Reason
from services.shard.mysql.connection import Row
from services.shard.mysql.features import Capabilities, Gap
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import History
from services.shard.stores.excerpt import Excerpt
from services.shard.work.statement_texts import StatementTexts
from storex.common.v1 import entity_pb2

NOT_CAPTURED = "NOT_CAPTURED"
"""The code of limits that say that a world does not hold something."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by both clocks, in seconds; as a Clock it stands still."""

    wall: float
    steady: float

    def now(self) -> float:
        """See Clock."""
        return self.wall

    def monotonic(self) -> float:
        """See Clock."""
        return self.steady


@dataclass(frozen=True, slots=True)
class Look:
    """What the catalogued statements returned at one moment, and why others did not."""

    moment: Moment
    rows: Mapping[Statement, list[Row]]
    gaps: Mapping[Statement, Gap]


@dataclass(frozen=True, slots=True)
class RecordedInstance:
    """One instance of a world. Its history, texts and excerpt are copies: nobody changes them any more."""

    name: str
    labels: Mapping[str, str]
    description: bytes
    """The instance as the fleet listed it: an encoded `storex.fleet.v1.Instance`."""
    capabilities: Capabilities | None
    """None where the server never answered."""
    looks: Sequence[Look]
    """Oldest first; the last one is the world's moment. None where the server did not answer."""
    moment: Moment
    history: History
    texts: StatementTexts
    excerpt: Excerpt | None = None
    """What the region's archive held of it; None where that could not be read."""
    failure: Reason | None = None
    """Why the server did not answer."""
    explain_allowed: bool = False
    """Whether the owner let statements be explained; what the engine would have said is not recorded."""
    archive_failure: Reason | None = None
    """Why the region recorded nothing at that moment."""

    def limits(self) -> list[entity_pb2.Limit]:
        """What could not be captured."""
        gaps = [gap for gap in self.looks[-1].gaps.values() if gap.code == NOT_CAPTURED] if self.looks else []
        if self.failure is not None:
            message = f"The database did not answer: {self.failure.name}."
            gaps.append(Gap("database", NOT_CAPTURED, message, ""))
        if self.excerpt is None:
            gaps.append(not_captured("history"))
        elif self.excerpt.cuts:
            gaps.append(Gap("history", NOT_CAPTURED, "Its oldest part was too large to be captured.", ""))
        return [gap.limit() for gap in gaps]


@dataclass(frozen=True, slots=True)
class World:
    """The instance that a snapshot is of, first, and its neighbours in replication that the same shard serves."""

    instances: Sequence[RecordedInstance]
    took_seconds: float
    format_version: int = field(default=0, compare=False)
    """The version of the format that it was read from; 0 for one that was just captured."""

    @property
    def subject(self) -> RecordedInstance:
        """The instance that it is a snapshot of."""
        return self.instances[0]

    def limits(self) -> list[entity_pb2.Limit]:
        """What could not be captured of any instance."""
        return [limit for instance in self.instances for limit in instance.limits()]


def not_captured(source: str) -> Gap:
    """The gap where a world does not hold something that a live instance would have been asked for."""
    return Gap(source, NOT_CAPTURED, f"The snapshot does not hold {source}.", "Ask the live instance for it.")
