"""What a collector sees of one instance, and what every answer says about its own making."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.clock import Clock
from libs.core.names import ResourceName
from services.shard.mysql.source import ResultSets, Source
from services.shard.sampler.history import History
from services.shard.statement_texts import StatementTexts
from services.shard.stores.archive import Archive
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import session_pb2


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance: where to read it from, what it looked like before, and its statements."""

    name: ResourceName
    source: Source
    history: History
    texts: StatementTexts
    clock: Clock
    archive: Archive | None = None
    """What outlasts the process; None where nothing does."""

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
