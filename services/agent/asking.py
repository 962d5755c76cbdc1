"""A question from its request to its last event: the session around an investigation."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.ids import new_id
from libs.llm.ledger import Who
from libs.redaction.prose import scrub
from libs.rpc.call import SNAPSHOT, current_call
from services.agent.asked_time import going_on, time_of
from services.agent.inquiry import Fallback, Inquiry, Reasoner
from services.agent.loop.calling import Calling
from services.agent.loop.investigation import Investigation
from services.agent.loop.limits import Budget, LoopLimits
from services.agent.loop.recorded import highest_number
from services.agent.reach import Reach
from services.agent.recording import Recording
from services.agent.records import Record, Records
from services.agent.sessions.access import visible_records
from services.agent.sessions.store import SessionHead, SessionStore
from services.agent.target import Target, parse_target
from services.agent.tools.tool import Tool
from storex.agent.v1 import agent_pb2, report_pb2

MAX_QUESTION_LENGTH = 4000
"""Longest question, in characters."""
_RESERVE_SECONDS = 1.0
"""Time kept back from the caller's deadline, to send the report in."""

_NOT_KEPT = ("What is read cannot be kept in the session.", "The investigation goes on.")

_log = logging.getLogger(__name__)

ReasonerFactory = Callable[[Target, Who], tuple[Reasoner, Fallback]]


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: owner of the session, teams, what they can reach, and until when (monotonic seconds) they wait."""

    owner: str
    reach: Reach
    deadline: float | None = None
    teams: tuple[str, ...] = ()


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
    recording: Recording = field(default_factory=Recording)
    live: set[str] = field(default_factory=set)
    """The sessions with a question under way."""

    async def ask(self, request: agent_pb2.AskRequest, asker: Asker) -> AsyncGenerator[agent_pb2.AskResponse, None]:
        """The events of one question; the last one is the report. Ending the iteration cancels the investigation.

        Raises StorexError REQUEST_INVALID, NAME_INVALID, SESSION_NOT_FOUND, or RESOURCE_NOT_FOUND for a target that
        the asker may not see.
        """
        began = self.clock.monotonic()
        inquiry = await self._open(request, asker)
        reasoner, fallback = self.reasoners(inquiry.target, Who(asker.owner, asker.teams, inquiry.session_id))
        started = agent_pb2.AskResponse(session_started=_started(inquiry, reasoner), sequence=1)
        started.elapsed_seconds = self.clock.monotonic() - began
        yield started
        self.live.add(inquiry.session_id)
        sequence = itertools.count(2)
        events: asyncio.Queue[agent_pb2.AskResponse | None] = asyncio.Queue()
        investigation = self._investigation(inquiry, reasoner, fallback, asker, events)
        task = asyncio.create_task(self._run(investigation, events))
        try:
            while (event := await events.get()) is not None:
                event.sequence = next(sequence)
                event.elapsed_seconds = self.clock.monotonic() - began
                yield event
            await task
        finally:
            self.live.discard(inquiry.session_id)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, investigation: Investigation, events: asyncio.Queue[agent_pb2.AskResponse | None]) -> None:
        try:
            inquiry = investigation.inquiry
            if inquiry.resumed:
                await events.put(_goes_on(inquiry))
            report = await investigation.run()
            await self._keep_report(inquiry, report)
            if not _named_snapshots():
                # A report that is written must not be lost with whoever waits for the snapshot.
                before = report.SerializeToString(deterministic=True)
                await self.recording.after(report, investigation.calling.reach, investigation.budget.remaining_seconds)
                if report.SerializeToString(deterministic=True) != before:
                    await self._keep_report(inquiry, report)
            await events.put(agent_pb2.AskResponse(report=report))
        finally:
            events.put_nowait(None)

    async def _keep_report(self, inquiry: Inquiry, report: report_pb2.Report) -> None:
        try:
            await self.store.finish_turn(inquiry.session_id, inquiry.turn, report)
        except StorexError as error:
            _log.error("the report of %s is not kept: %s", inquiry.session_id, error.detail)

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

        async def keep(records: Sequence[Record]) -> None:
            try:
                await self.store.add_records(inquiry.session_id, records)
            except StorexError as error:
                _log.error("an answer for %s is not kept: %s", inquiry.session_id, error.detail)
                await investigation.note_once("SESSION_NOT_KEPT", *_NOT_KEPT)

        calling = Calling(
            tools=self.tools,
            reach=asker.reach,
            budget=budget,
            turn=inquiry.turn,
            emit=events.put,
            keep=keep,
            names=lambda: inquiry.names,
            now=self.clock.now,
            count=inquiry.calls_before,
        )
        calling.go_on_from(inquiry.records.of_turn(inquiry.turn))
        investigation = Investigation(
            inquiry=inquiry,
            reasoner=reasoner,
            fallback=fallback,
            calling=calling,
            budget=budget,
            emit=events.put,
            now=self.clock.now,
            notes=(*self.notes, *_of_snapshot()),
        )
        return investigation

    async def _open(self, request: agent_pb2.AskRequest, asker: Asker) -> Inquiry:
        """The session's inquiry: a new one, or the next turn of one that the asker owns and may still see."""
        if request.resume:
            return await self._reopen(request.session_id, asker)
        question = _checked_question(request.question)
        now = self.clock.now()
        asked = time_of(request, question, now)
        if not request.session_id:
            target = parse_target(request.target)
            head = SessionHead(new_id("ses"), asker.owner, target.text, now)
            await self.store.create(head)
            kept = _kept(request, question, target)
            turn = await self.store.begin_turn(head.session_id, kept, now, _named_snapshots())
            return Inquiry(
                head.session_id, target, question, now, asked.seconds, turn, at=asked.end, says_when=asked.said
            )
        head = await self.store.head(request.session_id, asker.owner)
        target = parse_target(request.target or head.target)
        records = await visible_records(self.store, head.session_id, asker.owner, asker.reach)
        earlier = await self.store.turns(head.session_id, asker.owner)
        kept = _kept(request, question, target)
        turn = await self.store.begin_turn(head.session_id, kept, now, _named_snapshots())
        asked = asked if asked.said else going_on(asked, question, earlier)
        return Inquiry(
            session_id=head.session_id,
            target=target,
            question=question,
            asked_at=now,
            window_seconds=asked.seconds,
            turn=turn,
            earlier=tuple(earlier),
            records=Records(records),
            at=asked.end,
            says_when=asked.said,
        )

    async def _reopen(self, session_id: str, asker: Asker) -> Inquiry:
        """The inquiry of a question that was cut short, with what was recorded for it and is still fresh."""
        opened = await self.store.open_turn(session_id, asker.owner)
        if opened is None:
            raise StorexError(Reason.REQUEST_INVALID, field="resume", problem="the last question has its report")
        if session_id in self.live:
            raise StorexError(Reason.REQUEST_INVALID, field="resume", problem="the last question is still under way")
        records = await visible_records(self.store, session_id, asker.owner, asker.reach)
        earlier = (await self.store.turns(session_id, asker.owner))[: opened.turn]
        now = self.clock.now()
        asked = time_of(opened.request, opened.request.question, now)
        asked = asked if asked.said else going_on(asked, opened.request.question, earlier)
        oldest = now - self.limits.fresh_seconds
        usable = (record for record in records if record.turn != opened.turn or record.recorded_at >= oldest)
        return Inquiry(
            session_id=session_id,
            target=parse_target(opened.request.target),
            question=opened.request.question,
            asked_at=now,
            window_seconds=asked.seconds,
            turn=opened.turn,
            earlier=tuple(earlier),
            records=Records(usable),
            resumed=True,
            calls_before=highest_number(record for record in records if record.turn == opened.turn),
            at=asked.end,
            says_when=asked.said,
        )


def _kept(request: agent_pb2.AskRequest, question: str, target: Target) -> agent_pb2.AskRequest:
    """The request as it is kept: scrubbed, and complete without its session."""
    kept = agent_pb2.AskRequest()
    kept.CopyFrom(request)
    kept.question, kept.target = question, target.text
    return kept


def _started(inquiry: Inquiry, reasoner: Reasoner) -> agent_pb2.SessionStarted:
    return agent_pb2.SessionStarted(
        session_id=inquiry.session_id,
        provider=reasoner.label,
        turn=inquiry.turn,
        target=inquiry.target.text,
        window_seconds=inquiry.window_seconds,
        resumed=inquiry.resumed,
    )


def _goes_on(inquiry: Inquiry) -> agent_pb2.AskResponse:
    fresh = len({record.call_id for record in inquiry.records.of_turn(inquiry.turn)})
    text = f"Going on with a question that was cut short; answers that are still fresh: {fresh}."
    return agent_pb2.AskResponse(notice=agent_pb2.Notice(text=text))


def _of_snapshot() -> tuple[tuple[str, str], ...]:
    """What a report says that stands on a snapshot: calls are answered from it because this one names it."""
    text = "All evidence is of the snapshot {}, not of the live database."
    return tuple(("SNAPSHOT", text.format(name)) for name in _named_snapshots())


def _named_snapshots() -> tuple[str, ...]:
    """The snapshots that this call asks in the place of live databases."""
    call = current_call()
    return () if call is None else tuple(call.metadata.get(SNAPSHOT, ()))


def _checked_question(question: str) -> str:
    if not question.strip():
        raise StorexError(Reason.REQUEST_INVALID, field="question", problem="it is empty")
    if len(question) > MAX_QUESTION_LENGTH:
        problem = f"it is longer than {MAX_QUESTION_LENGTH} characters"
        raise StorexError(Reason.REQUEST_INVALID, field="question", problem=problem)
    return scrub(question.strip())
