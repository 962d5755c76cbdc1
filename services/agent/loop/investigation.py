"""One question, from the first move to the report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from libs.core.errors import Reason, StorexError
from services.agent.inquiry import (
    CallOutcome,
    CallTools,
    Conclude,
    Fallback,
    Inquiry,
    Reasoner,
    ReasonerFailedError,
)
from services.agent.loop.calling import Calling
from services.agent.loop.hypotheses import Hypotheses
from services.agent.loop.limits import Budget
from services.agent.reasoners.second_opinion import reconcile
from services.agent.records import DENIED
from services.agent.report.draft import Draft
from services.agent.report.principals import principals_in
from services.agent.report.writing import Circumstances, write_report
from storex.agent.v1 import agent_pb2, report_pb2

Emit = Callable[[agent_pb2.AskResponse], Awaitable[None]]

_log = logging.getLogger(__name__)

_MAX_IDLE_STEPS = 2
"""Steps in a row that make no new call before a model is taken to be going round in circles."""
_RESERVE_SECONDS = 6.0
"""Wall time that a reasoner may not use, so that the fallback can still read and conclude."""


@dataclass(slots=True)
class Investigation:
    """Drives a reasoner over an inquiry.

    `fallback` takes over when `reasoner` fails, and concludes when the budget is spent; both may be the same object.
    """

    inquiry: Inquiry
    reasoner: Reasoner
    fallback: Fallback
    calling: Calling
    budget: Budget
    emit: Emit
    now: Callable[[], float]
    notes: tuple[tuple[str, str], ...] = ()
    _notes: list[tuple[str, str]] = field(default_factory=list)
    _partial: bool = False
    _hypotheses: Hypotheses = field(init=False)

    def __post_init__(self) -> None:
        self._hypotheses = Hypotheses(self.emit)

    async def run(self) -> report_pb2.Report:
        """Investigate and write the report. Raises StorexError when the target itself may not be seen."""
        writer, draft = await self._drive_with_fallback()
        report = write_report(
            draft,
            self.inquiry.records,
            Circumstances(
                target=self.inquiry.target.text,
                session_id=self.inquiry.session_id,
                written_by=writer.label,
                created_at=self.now(),
                turn=self.inquiry.turn,
                partial=self._partial,
                notes=(*self.notes, *self._notes),
                past=self.inquiry.past,
                window_seconds=self.inquiry.window_seconds,
            ),
        )
        report.principals.extend(principals_in(report, self.inquiry.records))
        await self._hypotheses.settle(report)
        report.usage.CopyFrom(self._usage())
        return report

    async def _drive_with_fallback(self) -> tuple[Reasoner, Draft]:
        if self.reasoner is self.fallback:
            return self.fallback, await self._drive(self.fallback)
        try:
            draft = await self._drive(self.reasoner)
        except ReasonerFailedError as failure:
            await self.note(failure.code, failure.problem, "The builtin investigator goes on.")
            return self.fallback, await self._drive(self.fallback)
        return await self._with_second_opinion(draft)

    async def _with_second_opinion(self, draft: Draft) -> tuple[Reasoner, Draft]:
        second = await self._drive(self.fallback)
        records = self.inquiry.records
        agreed = reconcile(draft, second, records)
        if agreed is not None:
            return self.reasoner, agreed
        problem = "The model overlooked a cause, or who is behind it, that the detectors found and a reading showed."
        await self.note("MODEL_UNSUPPORTED", problem, "The builtin investigator's report is given.")
        return self.fallback, replace(second, notes=(*second.notes, *draft.notes))

    async def _drive(self, reasoner: Reasoner) -> Draft:
        """Move by move, until the reasoner concludes or may not go on."""
        self.inquiry.outcomes = ()
        is_model = reasoner is not self.fallback
        self.budget.holds_back = is_model
        idle_steps = 0
        while True:
            if is_model and (idle_steps >= _MAX_IDLE_STEPS or self.calling.repetition.is_cycle):
                raise ReasonerFailedError("MODEL_REPEATS", "The model repeated itself without learning anything new.")
            # What models cost does not keep the fallback, which asks none, from looking for itself.
            spent = self.budget.spent(sum(self._tokens), self._cost) if is_model else self.budget.spent(0)
            if spent and is_model:
                raise ReasonerFailedError("BUDGET_SPENT", spent)
            if spent:
                await self._stop_short(spent)
                return self.fallback.conclude(self.inquiry)
            self.budget.steps += 1
            move = await self._next_move(reasoner)
            if isinstance(move, Conclude):
                return move.draft
            self.inquiry.outcomes = await self._step(move)
            idle_steps = 0 if any(_is_new(outcome) for outcome in self.inquiry.outcomes) else idle_steps + 1

    @property
    def _tokens(self) -> tuple[int, int]:
        """Tokens sent and received by whoever has reasoned; the fallback asks no model."""
        return self.reasoner.tokens

    @property
    def _cost(self) -> float:
        return self.reasoner.cost

    async def _next_move(self, reasoner: Reasoner) -> CallTools | Conclude:
        reserve = 0.0 if reasoner is self.fallback else min(_RESERVE_SECONDS, self.budget.remaining_seconds / 2)
        seconds = self.budget.remaining_seconds - reserve
        try:
            async with asyncio.timeout(seconds):
                return await reasoner.next_move(self.inquiry)
        except TimeoutError:
            raise ReasonerFailedError("MODEL_UNAVAILABLE", "The model did not answer in time.") from None
        except (StorexError, ReasonerFailedError):
            raise
        except Exception:
            if reasoner is self.fallback:
                raise
            # Whatever a model makes of its answer must not cost the question.
            _log.exception("the reasoner of %s failed", self.inquiry.session_id)
            raise ReasonerFailedError("MODEL_NONSENSE", "The model's answer could not be read.") from None

    async def _step(self, move: CallTools) -> tuple[CallOutcome, ...]:
        if move.plan:
            await self.emit(agent_pb2.AskResponse(plan=agent_pb2.Plan(steps=move.plan)))
        for hypothesis in move.hypotheses:
            await self._hypotheses.weigh(hypothesis)
        outcomes = await self.calling.run(move.requests)
        for outcome in outcomes:
            if _is_new(outcome):
                self.inquiry.records.extend(outcome.records)
            for record in outcome.records:
                await self._hypotheses.read(record)
        self._refuse_what_may_not_be_seen(outcomes)
        return outcomes

    def _refuse_what_may_not_be_seen(self, outcomes: tuple[CallOutcome, ...]) -> None:
        """A target that the caller may not see answers like one that is not there, not with an empty report."""
        records = [record for outcome in outcomes for record in outcome.records]
        only_denied = bool(records) and all(record.status == DENIED for record in records)
        nothing_else = all(record.status == DENIED for record in self.inquiry.records)
        covers_nothing = (
            not self.inquiry.target.is_instance
            and bool(records)
            and not any(record.message is not None or record.reason for record in records)
        )
        # A model that first asks about something else, which may not even be there, has only made a mistake.
        of_target = not self.inquiry.target.is_instance or self.inquiry.target.text in {one.name for one in records}
        if only_denied and nothing_else and of_target:
            raise StorexError(Reason[records[0].reason])
        if covers_nothing:
            raise StorexError(Reason.RESOURCE_NOT_FOUND)

    async def _stop_short(self, spent: str) -> None:
        self._partial = True
        await self.note_once("BUDGET_SPENT", spent, "The report rests on what was read so far.")

    def _usage(self) -> report_pb2.Usage:
        return report_pb2.Usage(
            steps=self.budget.steps,
            tool_calls=self.budget.tool_calls,
            input_tokens=self._tokens[0],
            output_tokens=self._tokens[1],
            wall_seconds=self.budget.wall_seconds,
            cost=self._cost,
        )

    async def note_once(self, code: str, problem: str, instead: str) -> None:
        """As `note`, but once in a question."""
        if code not in dict(self._notes):
            await self.note(code, problem, instead)

    async def note(self, code: str, problem: str, instead: str) -> None:
        """Put a problem under the report's limits, and tell whoever follows what is done instead."""
        self._notes.append((code, problem))
        await self.emit(agent_pb2.AskResponse(notice=agent_pb2.Notice(text=f"{problem} {instead}", code=code)))


def _is_new(outcome: CallOutcome) -> bool:
    return bool(outcome.records) and not outcome.repeated
