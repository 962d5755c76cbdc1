"""Causes under consideration, as they rise and fall: told whenever something changes, and only then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from services.agent.explained import explained_by
from services.agent.inquiry import Hypothesis
from services.agent.records import Record
from storex.agent.v1 import agent_pb2, report_pb2
from storex.diagnostics.v1 import finding_pb2

State = agent_pb2.HypothesisState
_SAME = 0.005
"""Confidences closer than this are shown as the same percentage."""


@dataclass(slots=True)
class Hypotheses:
    """The causes that are considered now, by kind and instance."""

    emit: Callable[[agent_pb2.AskResponse], Awaitable[None]]
    _held: dict[tuple[str, str], float] = field(default_factory=dict)

    async def weigh(self, hypothesis: Hypothesis) -> None:
        """Take one up, or move it."""
        key = hypothesis.kind, hypothesis.name
        before = self._held.get(key)
        self._held[key] = hypothesis.confidence
        if before is None:
            await self._tell(hypothesis, State.HYPOTHESIS_STATE_RAISED, 0.0)
        elif abs(hypothesis.confidence - before) >= _SAME:
            rises = hypothesis.confidence > before
            state = State.HYPOTHESIS_STATE_STRENGTHENED if rises else State.HYPOTHESIS_STATE_WEAKENED
            await self._tell(hypothesis, state, before)

    async def read(self, record: Record) -> None:
        """Move what a new reading of an instance's health speaks for and against."""
        if record.health is None:
            return
        findings = list(record.health.findings)
        explained = explained_by(findings)
        standing: set[str] = set()
        for finding in findings:
            if finding.severity <= finding_pb2.SEVERITY_INFO:
                continue
            by = explained.get(finding.id)
            if by is None:
                standing.add(finding.kind)
                await self.weigh(Hypothesis(finding.kind, finding.confidence, _found(record.name), record.name))
            else:
                await self._drop(finding.kind, record.name, f"{by.kind} explains it")
        for kind, name in list(self._held):
            if name == record.name and kind not in standing:
                await self._drop(kind, name, "a new reading of its health does not show it")

    async def settle(self, report: report_pb2.Report) -> None:
        """Tell what became of each: in the report, confirmed or not, or given up."""
        confirmed = report.verdict == report_pb2.VERDICT_CONFIRMED
        for cause in report.root_causes:
            reason = "checked against the recorded answers"
            key = cause.kind, cause.name
            before = self._held.pop(key, self._held.pop((cause.kind, ""), 0.0))
            state = State.HYPOTHESIS_STATE_CONFIRMED if confirmed else _direction(before, cause.confidence)
            await self._tell(Hypothesis(cause.kind, cause.confidence, reason, cause.name), state, before)
        reasons = {ruled_out.kind: ruled_out.reason for ruled_out in report.ruled_out}
        for kind, name in list(self._held):
            await self._drop(kind, name, reasons.get(kind) or "the recorded answers do not show it")

    async def _drop(self, kind: str, name: str, reason: str) -> None:
        before = self._held.pop((kind, name), None)
        if before is not None:
            await self._tell(Hypothesis(kind, 0.0, reason, name), State.HYPOTHESIS_STATE_DROPPED, before)

    async def _tell(self, hypothesis: Hypothesis, state: State.ValueType, before: float) -> None:
        event = agent_pb2.Hypothesis(
            kind=hypothesis.kind,
            confidence=hypothesis.confidence,
            reason=hypothesis.reason,
            name=hypothesis.name,
            state=state,
            previous_confidence=before,
        )
        await self.emit(agent_pb2.AskResponse(hypothesis=event))


def _found(name: str) -> str:
    return f"found on {name}"


def _direction(before: float, now: float) -> State.ValueType:
    return State.HYPOTHESIS_STATE_WEAKENED if now < before else State.HYPOTHESIS_STATE_STRENGTHENED
