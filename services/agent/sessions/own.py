"""The asker's own earlier investigations, for a tool to read: nobody else's, and only what they may still see."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from services.agent.reach import Reach
from services.agent.sessions.access import visible_records
from services.agent.sessions.store import SessionHead, SessionStore
from services.agent.timestamps import timestamp
from storex.agent.v1 import agent_pb2

MOST = 5
_MOST_READ = 50
"""Sessions that are looked into before the search for one about the same target is given up."""


@dataclass(frozen=True, slots=True)
class OwnSessions:
    """The sessions of one owner."""

    store: SessionStore
    owner: str

    async def about(self, reach: Reach, target: str, except_session: str) -> agent_pb2.ListSessionsResponse:
        """Those about a target, newest first, with their questions and reports.

        One that holds something which its owner may not see any more is left out. Raises StorexError.
        """
        found: list[agent_pb2.Session] = []
        heads = [head for head in await self.store.list_heads(self.owner) if head.target == target]
        for head in heads[:_MOST_READ]:
            if head.session_id == except_session:
                continue
            session = await self._visible(head, reach)
            found += [session] if session is not None else []
            if len(found) >= MOST:
                break
        return agent_pb2.ListSessionsResponse(sessions=found)

    async def _visible(self, head: SessionHead, reach: Reach) -> agent_pb2.Session | None:
        try:
            await visible_records(self.store, head.session_id, self.owner, reach)
        except StorexError as error:
            if error.reason is Reason.SESSION_NOT_FOUND:
                return None
            raise
        session = agent_pb2.Session(
            session_id=head.session_id, target=head.target, created_at=timestamp(head.created_at)
        )
        for turn in await self.store.turns(head.session_id, self.owner):
            session.turns.add(question=turn.question, report=turn.report, asked_at=timestamp(turn.asked_at))
        return session
