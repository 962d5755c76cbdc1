"""AgentService: decode, one call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from libs.core.errors import Reason, StorexError
from libs.core.paging import page_of
from libs.rpc.call import SNAPSHOT, CallContext, current_call
from services.agent.asking import Asker, Asking
from services.agent.candidates import Candidates
from services.agent.reach import Reach
from services.agent.sessions.access import visible_records
from services.agent.sessions.store import SessionHead
from services.agent.timestamps import timestamp
from services.agent.usage import ModelUsageReport
from storex.agent.v1 import agent_pb2
from storex.agent.v1.agent_pb2_grpc import AgentServiceServicer

_DEFAULT_PAGE, _LARGEST_PAGE = 50, 500


class AgentServicer(AgentServiceServicer):
    """Serves questions and sessions to whoever the current call belongs to."""

    def __init__(
        self,
        asking: Asking,
        candidates: Candidates,
        usage: ModelUsageReport,
        reach_for: Callable[[CallContext], Reach],
    ) -> None:
        self._asking = asking
        self._candidates = candidates
        self._usage = usage
        self._reach_for = reach_for

    async def Ask(self, request: agent_pb2.AskRequest, _context: object) -> AsyncIterator[agent_pb2.AskResponse]:
        """The events of one investigation."""
        asker, asking = self._asker(), self._asking
        if request.HasField("candidate"):
            if not _asks_a_snapshot():
                problem = "only a question about a snapshot is answered by another configuration"
                raise StorexError(Reason.REQUEST_INVALID, field="candidate", problem=problem)
            asking = self._candidates.apply(request.candidate, asking)
            asker = replace(asker, reach=asker.reach.judged_without(request.candidate.without_rules))
        events = asking.ask(request, asker)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def GetSession(self, request: agent_pb2.GetSessionRequest, _context: object) -> agent_pb2.GetSessionResponse:
        """One of the caller's sessions, if they may still see what is in it."""
        asker, store = self._asker(), self._asking.store
        head = await store.head(request.session_id, asker.owner)
        await visible_records(store, head.session_id, asker.owner, asker.reach)
        session = _session(head)
        for turn in await store.turns(head.session_id, asker.owner):
            session.turns.add(question=turn.question, report=turn.report, asked_at=timestamp(turn.asked_at))
        return agent_pb2.GetSessionResponse(session=session)

    async def ListSessions(
        self, request: agent_pb2.ListSessionsRequest, _context: object
    ) -> agent_pb2.ListSessionsResponse:
        """The caller's sessions, newest first."""
        heads = await self._asking.store.list_heads(self._asker().owner)
        page, token = page_of(
            heads, request.page_size, request.page_token, default=_DEFAULT_PAGE, largest=_LARGEST_PAGE
        )
        return agent_pb2.ListSessionsResponse(sessions=map(_session, page), next_page_token=token)

    async def ListModelUsage(
        self, request: agent_pb2.ListModelUsageRequest, _context: object
    ) -> agent_pb2.ListModelUsageResponse:
        """Sums over everybody's calls to models."""
        return await self._usage.answer(request)

    def _asker(self) -> Asker:
        call = current_call()
        if call is None or call.caller is None:
            raise StorexError(Reason.TOKEN_MISSING)
        user = call.caller.user
        return Asker(user.subject, self._reach_for(call), call.deadline, tuple(sorted(user.teams)))


def _session(head: SessionHead) -> agent_pb2.Session:
    return agent_pb2.Session(session_id=head.session_id, target=head.target, created_at=timestamp(head.created_at))


def _asks_a_snapshot() -> bool:
    call = current_call()
    return call is not None and bool(call.metadata.get(SNAPSHOT))
