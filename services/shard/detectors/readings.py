"""What detectors are given, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from google.protobuf.message import Message

from libs.core.errors import StorexError
from services.shard.sampler.history import History
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, settings_pb2

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Readings:
    """The answers of collectors by tool name, the failures of others, and the window around them.

    `at` is the time of reading in seconds of the monotonic clock, `now` the same in seconds since the epoch.
    """

    answers: Mapping[str, Message]
    failures: Mapping[str, StorexError]
    history: History
    at: float
    now: float
    previous: Readings | None = None
    """The look before this one, where a detector asked for another."""

    def answer(self, tool: str, kind: type[M]) -> M | None:
        """The answer of a tool, None where it failed."""
        found = self.answers.get(tool)
        return found if isinstance(found, kind) else None

    @property
    def lock_waits(self) -> diagnostics_pb2.GetLockWaitsResponse | None:
        """Lock waits, None where they could not be read."""
        return self.answer("get_lock_waits", diagnostics_pb2.GetLockWaitsResponse)

    @property
    def top_queries(self) -> diagnostics_pb2.ListTopQueriesResponse | None:
        """Top queries, None where they could not be read."""
        return self.answer("list_top_queries", diagnostics_pb2.ListTopQueriesResponse)

    def changed_at(self, variable: str) -> float | None:
        """When the variable was changed, in seconds since the epoch, where that was read and is known."""
        answer = self.answer("list_variable_changes", settings_pb2.ListVariableChangesResponse)
        times = [] if answer is None else [change for change in answer.changes if change.variable == variable]
        return next((change.changed_at.ToSeconds() for change in times if change.HasField("changed_at")), None)

    @property
    def connections(self) -> diagnostics_pb2.GetConnectionsResponse | None:
        """Connections, None where they could not be read."""
        return self.answer("get_connections", diagnostics_pb2.GetConnectionsResponse)

    @property
    def innodb_status(self) -> diagnostics_pb2.GetInnodbStatusResponse | None:
        """The InnoDB monitor, None where it could not be read."""
        return self.answer("get_innodb_status", diagnostics_pb2.GetInnodbStatusResponse)


@dataclass(frozen=True, slots=True)
class Detection:
    """What a detector came to: findings, or a reason why not; `not_checked` where it could not look.

    `look_again` asks for new readings after so many seconds: what is there has only just begun, and would be told from
    harmless things by lasting.
    """

    findings: tuple[finding_pb2.Finding, ...] = ()
    reason: str = ""
    not_checked: bool = False
    look_again: float = 0.0


@dataclass(frozen=True, slots=True)
class Detector:
    """A root cause, the tools whose answers it reads, and the function that looks for it."""

    kind: str
    tools: tuple[str, ...]
    detect: Callable[[Readings], Detection] = field(repr=False)


def entity(role: str, kind: str, value: str) -> entity_pb2.Entity:
    """An entity of a finding."""
    return entity_pb2.Entity(role=role, type=kind, value=value)


def limit_codes(answer: Message) -> set[str]:
    """The codes of the limits that an answer was made under."""
    return {limit.code for limit in getattr(answer, "observation").limits}  # noqa: B009 - every answer has one
