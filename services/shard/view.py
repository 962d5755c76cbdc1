"""What a collector sees of one instance, and what every answer says about its own making."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.clock import Clock
from libs.core.errors import StorexError
from libs.core.names import ResourceName
from services.shard.mysql.explaining import Plan
from services.shard.mysql.source import ResultSets, Source
from services.shard.sampler.history import History
from services.shard.stores.records import Batch
from services.shard.stores.store import HistoryStore
from services.shard.work.statement_texts import StatementTexts
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import session_pb2

T = TypeVar("T")


class Memory(Protocol):
    """What outlasts the process, as collectors and history read it: the region's archive, or a recorded part of it."""

    @property
    def failure(self) -> StorexError | None:
        """Why nothing can be recorded at the moment."""

    async def ask(self, question: Callable[[HistoryStore], T]) -> T:
        """What `question` finds in the store. Raises StorexError STORE_UNAVAILABLE."""

    async def record(self, batch: Batch) -> None:
        """Keep a batch for good. Raises StorexError."""

    def limits(self) -> list[entity_pb2.Limit]:
        """What was asked for so far and is not in the memory, though an instance had it."""


class Explains(Protocol):
    """Has statements explained."""

    @property
    def allowed(self) -> bool:
        """Whether statements of the instance may be explained."""

    async def explain(self, digest: str) -> Plan:
        """The plan of the digest's statement. Raises StorexError, see `Explainer.explain`."""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance: where to read it from, what it looked like before, and its statements."""

    name: ResourceName
    source: Source
    history: History
    texts: StatementTexts
    clock: Clock
    archive: Memory | None = None
    """What outlasts the process; None where nothing does."""
    snapshot: str = ""
    """The name of the snapshot that it is recorded in; empty for a live instance."""
    earlier: InstanceView | None = None
    """Of a recorded instance, how it was a moment before: what a live one is looked at again for."""

    explainer: Explains | None = None
    """Has the engine explain statements; None where nobody can."""

    def observation(
        self, began: float, results: ResultSets | None = None, *limits: entity_pb2.Limit
    ) -> session_pb2.Observation:
        """The observation of a reading that began at `began`, in seconds since the epoch; its end is now."""
        gaps = [] if results is None else results.limits()
        return session_pb2.Observation(
            name=str(self.name),
            observed_at=timestamp(began),
            took_seconds=round(max(0.0, self.clock.now() - began), 6),
            limits=[*gaps, *limits],
            snapshot=self.snapshot,
        )


def timestamp(seconds: float) -> Timestamp:
    """Seconds since the epoch as a protobuf timestamp, to the millisecond."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.fromtimestamp(round(seconds, 3), UTC))
    return stamp


def whole(value: object) -> int:
    """A result column as a whole number; 0 where it is NULL or something else: one odd row costs only itself."""
    number = real(value)
    return int(number) if -(2.0**63) <= number < 2.0**63 else 0


def real(value: object) -> float:
    """A result column as a number; 0 where it is NULL or something else."""
    try:
        number = float(str(value)) if value is not None else 0.0
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def text(value: object) -> str:
    """A result column as text; empty where it is NULL."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
