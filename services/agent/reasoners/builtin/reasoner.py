"""`builtin`, the reasoner that needs no model."""

from __future__ import annotations

from dataclasses import replace

from services.agent.inquiry import CallTools, Conclude, Inquiry
from services.agent.reasoners.builtin.follow_up import FollowUp
from services.agent.reasoners.builtin.intent import asks_about_the_past, aspects_of
from services.agent.reasoners.builtin.investigate import Investigate, conclude
from services.agent.report.draft import Draft

LABEL = "builtin"
_NO_HISTORY = ("HISTORY_NOT_KEPT", "The question is about the past; this answer is about now.")


class Builtin:
    """Investigates afresh, or answers a follow-up about what the session has found."""

    label = LABEL
    tokens = (0, 0)
    cost = 0.0

    def __init__(self) -> None:
        self._work: Investigate | FollowUp | None = None

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """The next move; see `Reasoner`."""
        if self._work is None:
            self._work = _work_for(inquiry)
        move = self._work.next_move(inquiry)
        return Conclude(_with_notes(move.draft, inquiry)) if isinstance(move, Conclude) else move

    def conclude(self, inquiry: Inquiry) -> Draft:
        """What this question's records come to as they are."""
        return _with_notes(conclude(inquiry), inquiry)


def _work_for(inquiry: Inquiry) -> Investigate | FollowUp:
    last = inquiry.last_report
    aspects = aspects_of(inquiry.question)
    if last is None or not last.root_causes or last.target != inquiry.target.text or not aspects:
        return Investigate()
    return FollowUp(aspects, last)


def _with_notes(draft: Draft, inquiry: Inquiry) -> Draft:
    return replace(draft, notes=(*draft.notes, _NO_HISTORY)) if asks_about_the_past(inquiry.question) else draft
