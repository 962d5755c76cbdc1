"""The interface of a session store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.agent.inquiry import Turn
from services.agent.records import Record
from storex.agent.v1 import agent_pb2, report_pb2


@dataclass(frozen=True, slots=True)
class SessionHead:
    """A session without its turns. `created_at` is in seconds since the epoch."""

    session_id: str
    owner: str
    target: str
    created_at: float


@dataclass(frozen=True, slots=True)
class OpenTurn:
    """The last question of a session, still without a report: its number, and the AskRequest that it came in."""

    turn: int
    request: agent_pb2.AskRequest


class SessionStore(Protocol):
    """Keeps sessions. Every reading method answers for the owner only: SESSION_NOT_FOUND for anybody else."""

    async def create(self, head: SessionHead) -> None:
        """Begin a session."""

    async def head(self, session_id: str, owner: str) -> SessionHead:
        """The session. Raises StorexError SESSION_NOT_FOUND."""

    async def turns(self, session_id: str, owner: str) -> list[Turn]:
        """Its questions with their reports, oldest first. Raises StorexError SESSION_NOT_FOUND."""

    async def records(self, session_id: str, owner: str) -> list[Record]:
        """What its tools returned, in order. Raises StorexError SESSION_NOT_FOUND."""

    async def list_heads(self, owner: str) -> list[SessionHead]:
        """The owner's sessions, newest first."""

    async def snapshots(self, session_id: str, owner: str) -> list[str]:
        """Those that its questions asked in the place of live databases. Raises StorexError SESSION_NOT_FOUND."""

    async def delete(self, session_id: str) -> None:
        """Delete a session with all that is in it, for good."""

    async def begin_turn(
        self, session_id: str, request: agent_pb2.AskRequest, asked_at: float, snapshots: Sequence[str] = ()
    ) -> int:
        """Append a question without a report; returns its number, from 0. The request's question is scrubbed."""

    async def open_turn(self, session_id: str, owner: str) -> OpenTurn | None:
        """The last question, if it has no report. Raises StorexError SESSION_NOT_FOUND."""

    async def add_records(self, session_id: str, records: Sequence[Record]) -> None:
        """Keep what a call returned, all or nothing; it is safe on disk when this returns."""

    async def finish_turn(self, session_id: str, turn: int, report: report_pb2.Report) -> None:
        """Add the report of a question."""

    async def close(self) -> None:
        """Close the store."""
