"""A question from its request to its last event: the session around an investigation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.ids import new_id
from libs.redaction.prose import scrub
from services.agent.inquiry import Fallback, Inquiry, Reasoner
from services.agent.loop.calling import Calling
from services.agent.loop.investigation import Investigation
from services.agent.loop.limits import Budget, LoopLimits
from services.agent.reach import Reach
from services.agent.records import Records
from services.agent.sessions.access import check_still_visible
from services.agent.sessions.store import SessionHead, SessionStore
from services.agent.target import Target, parse_target
from services.agent.timestamps import epoch_seconds
from services.agent.tools.tool import Tool
from storex.agent.v1 import agent_pb2

MAX_QUESTION_LENGTH = 4000
"""Longest question, in characters."""
_DEFAULT_WINDOW_SECONDS = 600.0
_NOW_SECONDS = 120.0
"""How far from now a moment still counts as now: clocks differ, and people are slower than machines."""
_RESERVE_SECONDS = 1.0
"""Time kept back from the caller's deadline, to send the report in."""

ReasonerFactory = Callable[[Target], tuple[Reasoner, Fallback]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the owner of the session, what they can reach, and until when (monotonic seconds) they wait."""

    owner: str
    reach: Reach
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """Answers questions and keeps the sessions that they belong to."""

    store: SessionStore
    tools: Mapping[str, Tool]
    reasoners: ReasonerFactory
    limits: LoopLimits
    clock: Clock
    notes: tuple[tuple[str, str], ...] = ()
    """Limits that every report names, as (code, sentence)."""

    async def ask(self, request: agent_pb2.AskRequest, asker: Asker) -> AsyncGenerator[agent_pb2.AskResponse, None]:
        """The events of one question; the last one is the report. Ending the iteration cancels the investigation.

        Raises StorexError REQUEST_INVALID, NAME_INVALID, SESSION_NOT_FOUND, or RESOURCE_NOT_FOUND for a target that
        the asker may not see.
        """
        inquiry = await self._open(request, asker)
        reasoner, fallback = self.reasoners(inquiry.target)
        started = agent_pb2.SessionStarted(session_id=inquiry.session_id, provider=reasoner.label)
        yield agent_pb2.AskResponse(session_started=started)
        events: asyncio.Queue[agent_pb2.AskResponse | None] = asyncio.Queue()
        investigation = self._investigation(inquiry, reasoner, fallback, asker, events)
        task = asyncio.create_task(self._run(investigation, events))
        try:
            while (event := await events.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, investigation: Investigation, events: asyncio.Queue[agent_pb2.AskResponse | None]) -> None:
        try:
            inquiry = investigation.inquiry
            report = await investigation.run()
            await self.store.finish_turn(
                inquiry.session_id, inquiry.turn, report, list(inquiry.records.of_turn(inquiry.turn))
            )
            await events.put(agent_pb2.AskResponse(report=report))
        finally:
            events.put_nowait(None)

    def _investigation(
        self,
        inquiry: Inquiry,
        reasoner: Reasoner,
        fallback: Fallback,
        asker: Asker,
        events: asyncio.Queue[agent_pb2.AskResponse | None],
    ) -> Investigation:
        latest = self.clock.monotonic() + self.limits.wall_seconds
        deadline = latest if asker.deadline is None else min(latest, asker.deadline - _RESERVE_SECONDS)
        budget = Budget(self.limits, self.clock.monotonic, deadline)
        return Investigation(
            inquiry=inquiry,
            reasoner=reasoner,
            fallback=fallback,
            calling=Calling(self.tools, asker.reach, budget, inquiry.turn, events.put),
            budget=budget,
            emit=events.put,
            now=self.clock.now,
            notes=self.notes,
        )

    async def _open(self, request: agent_pb2.AskRequest, asker: Asker) -> Inquiry:
        """The session's inquiry: a new one, or the next turn of one that the asker owns and may still see."""
        question = _checked_question(request.question)
        window = self._window(request)
        now = self.clock.now()
        if not request.session_id:
            target = parse_target(request.target)
            head = SessionHead(new_id("ses"), asker.owner, target.text, now)
            await self.store.create(head)
            turn = await self.store.begin_turn(head.session_id, question, now)
            return Inquiry(head.session_id, target, question, now, window, turn)
        head = await self.store.head(request.session_id, asker.owner)
        target = parse_target(request.target or head.target)
        records = await self.store.records(head.session_id, asker.owner)
        await check_still_visible(records, asker.reach)
        earlier = await self.store.turns(head.session_id, asker.owner)
        turn = await self.store.begin_turn(head.session_id, question, now)
        return Inquiry(head.session_id, target, question, now, window, turn, tuple(earlier), Records(records))

    def _window(self, request: agent_pb2.AskRequest) -> float:
        if request.HasField("at"):
            ago = self.clock.now() - epoch_seconds(request.at)
            if abs(ago) > _NOW_SECONDS:
                problem = "only the present can be investigated, because no history is kept; leave it out"
                raise StorexError(Reason.REQUEST_INVALID, field="at", problem=problem)
        if not request.HasField("duration"):
            return _DEFAULT_WINDOW_SECONDS
        seconds = request.duration.ToNanoseconds() / 1e9
        if not 1 <= seconds <= 86400:
            raise StorexError(Reason.REQUEST_INVALID, field="duration", problem="it must be from 1 second to 24 hours")
        return seconds


def _checked_question(question: str) -> str:
    if not question.strip():
        raise StorexError(Reason.REQUEST_INVALID, field="question", problem="it is empty")
    if len(question) > MAX_QUESTION_LENGTH:
        problem = f"it is longer than {MAX_QUESTION_LENGTH} characters"
        raise StorexError(Reason.REQUEST_INVALID, field="question", problem=problem)
    return scrub(question.strip())
