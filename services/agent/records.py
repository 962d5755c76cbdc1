"""What the tools returned, as it was recorded: the only ground that a report may stand on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason
from storex.agent.v1 import agent_pb2
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

Status: TypeAlias = "agent_pb2.ToolStatus.ValueType"
SUCCESS: Status = agent_pb2.TOOL_STATUS_SUCCESS
NO_DATA: Status = agent_pb2.TOOL_STATUS_NO_DATA
ERROR: Status = agent_pb2.TOOL_STATUS_ERROR
DENIED: Status = agent_pb2.TOOL_STATUS_DENIED

UNREACHED = frozenset(
    reason.name
    for reason in (
        Reason.DATABASE_UNREACHABLE,
        Reason.DATABASE_ACCESS_DENIED,
        Reason.DATABASE_PASSWORD_MISSING,
        Reason.DATABASE_TOO_MANY_CONNECTIONS,
        Reason.DATABASE_CIRCUIT_OPEN,
    )
)
"""Codes of limits that mean that the database let Storex read nothing."""


def observation_of(message: Message) -> session_pb2.Observation | None:
    """Where and when a diagnostic answer was read, or None for an answer that does not say."""
    if isinstance(message, diagnostics_pb2.GetHealthResponse | diagnostics_pb2.StreamHealthResponse):
        return message.health.observation
    found = getattr(message, "observation", None)
    return found if isinstance(found, session_pb2.Observation) else None


@dataclass(frozen=True, slots=True)
class Record:
    """One recorded answer of a tool about one resource `name`; a streamed call leaves several.

    `message` is None unless the status is SUCCESS or NO_DATA. `reason` (from the error catalogue, or the loop's own)
    and `problem` (a sentence) say what failed. `turn` counts the session's questions from 0.
    `arguments` is what exactly was asked, every default included, as a JSON object; `recorded_at` is when the answer
    came, in seconds since the epoch by the agent's clock.
    """

    call_id: str
    turn: int
    tool: str
    name: str
    status: Status
    message: Message | None = None
    reason: str = ""
    problem: str = ""
    arguments: str = ""
    recorded_at: float = 0.0

    @property
    def observed_at(self) -> Timestamp | None:
        """When the values were read from the database, by the shard's clock."""
        observation = observation_of(self.message) if self.message is not None else None
        return observation.observed_at if observation is not None and observation.HasField("observed_at") else None

    @property
    def limits(self) -> list[entity_pb2.Limit]:
        """What the answer says could not be read."""
        observation = observation_of(self.message) if self.message is not None else None
        return list(observation.limits) if observation is not None else []

    @property
    def unreached(self) -> entity_pb2.Limit | None:
        """The limit that says that nothing could be read, because the database let nobody in."""
        return next((limit for limit in self.limits if limit.code in UNREACHED), None)

    @property
    def health(self) -> diagnostics_pb2.InstanceHealth | None:
        """The health in it, if it is an answer about health."""
        if isinstance(self.message, diagnostics_pb2.GetHealthResponse | diagnostics_pb2.StreamHealthResponse):
            return self.message.health
        return None


def status_of(records: Sequence[Record]) -> Status:
    """What a call came to that left these records: the best of them."""
    statuses = {record.status for record in records}
    return next((status for status in (SUCCESS, NO_DATA, ERROR) if status in statuses), DENIED)


class Records:
    """The session's records in order; a later reading of the same thing counts before an earlier one."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self._records = list(records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def extend(self, records: Iterable[Record]) -> None:
        """Append records."""
        self._records.extend(records)

    def of_turn(self, turn: int) -> Records:
        """The records of one question."""
        return Records(record for record in self._records if record.turn == turn)

    def latest(self, tool: str, name: str) -> Record | None:
        """The newest answer with data of that tool about that resource."""
        return next(
            (
                record
                for record in reversed(self._records)
                if record.tool == tool and record.name == name and record.message is not None
            ),
            None,
        )

    def health(self) -> dict[str, Record]:
        """The newest record of health by instance name."""
        return {record.name: record for record in self._records if record.health is not None}
