"""`builtin`, the reasoner that needs no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.agent.inquiry import CallTools, Conclude, Inquiry
from services.agent.reasoners.builtin.follow_up import FollowUp
from services.agent.reasoners.builtin.intent import Intent, intent_of
from services.agent.reasoners.builtin.investigate import Investigate
from services.agent.reasoners.builtin.others import named_beside
from services.agent.reasoners.builtin.past import InvestigatePast
from services.agent.reasoners.builtin.tell import CAN_DO, WELCOME, Explain, Tell, is_thanks
from services.agent.report.draft import Aspect, Draft
from services.agent.specialists.registry import Specialist
from services.agent.timestamps import epoch_seconds
from storex.agent.v1 import report_pb2

LABEL = "builtin"
_NOT_UNDERSTOOD = (
    f"I did not understand the question. {CAN_DO} What follows answers none of it: it is how things are at the moment."
)
_ADVICE = {Aspect.KILL, Aspect.STEPS, Aspect.RESTART}
_AFRESH = {Aspect.STILL, Aspect.WELL, Aspect.TREND}


class _Work(Protocol):
    def next_move(self, inquiry: Inquiry) -> CallTools | Conclude: ...

    def conclude(self, inquiry: Inquiry) -> Draft: ...


class Builtin:
    """Investigates afresh or in the past, tells facts, or answers a follow-up about what the session has found."""

    label = LABEL
    tokens = (0, 0)
    cost = 0.0

    def __init__(self, specialists: Mapping[str, Specialist] | None = None) -> None:
        """`specialists` look into the causes that are theirs; without any, only the catalogue's evidence is read."""
        self._specialists = specialists or {}
        self._work: _Work | None = None

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """The next move; see `Reasoner`."""
        self._work = self._work or work_for(inquiry, self._specialists)
        return self._work.next_move(inquiry)

    def conclude(self, inquiry: Inquiry) -> Draft:
        """What this question's records come to as they are."""
        return (self._work or work_for(inquiry, self._specialists)).conclude(inquiry)


def work_for(inquiry: Inquiry, specialists: Mapping[str, Specialist]) -> _Work:
    """How the question is best answered, by its words and by what the session knows."""
    intent, last = intent_of(inquiry.question), _last_report(inquiry)
    if is_thanks(inquiry.question):
        return Explain(WELCOME)
    if intent.facts_only:
        return Tell(intent)
    if named_beside(inquiry) and inquiry.at is None:
        return Investigate(intent, "", specialists)
    if not intent.understood and inquiry.last_report is not None and not inquiry.says_when:
        return Explain()
    if last is not None and _about_what_is_known(intent):
        return FollowUp(intent, last, inquiry)
    if inquiry.at is not None:
        return InvestigatePast(intent)
    return Investigate(intent, "" if intent.understood else _NOT_UNDERSTOOD, specialists)


def _last_report(inquiry: Inquiry) -> report_pb2.Report | None:
    """The newest diagnosis of the session, if it named causes, about the same target and time."""
    for turn in reversed(inquiry.earlier):
        report = turn.report
        if report is None or report.verdict == report_pb2.VERDICT_UNSPECIFIED:
            continue
        same_time = inquiry.at == (epoch_seconds(report.about_end) if report.HasField("about_end") else None)
        return report if report.root_causes and report.target == inquiry.target.text and same_time else None
    return None


def _about_what_is_known(intent: Intent) -> bool:
    """Whether the last diagnosis answers it: not whether it lasts, or how things are, unless advice is asked for."""
    asked = set(intent.aspects)
    return bool(asked & _ADVICE) or (bool(asked) and not asked & _AFRESH)
