"""A follow-up question, answered from what the session has recorded; read again only what may have changed."""

from __future__ import annotations

from services.agent.inquiry import CallTools, Conclude, Inquiry, ToolRequest
from services.agent.reasoners.builtin.findings import confirming_requests
from services.agent.reasoners.builtin.intent import Intent
from services.agent.reasoners.builtin.lookup import requests_for
from services.agent.report.draft import Aspect, Draft, DraftCause, EntityClaim
from services.agent.timestamps import epoch_seconds
from storex.agent.v1 import report_pb2

FRESH_SECONDS = 5.0
"""How old evidence may be for advice on ending a session: ids are reused, and locks come and go."""


class FollowUp:
    """Moves of one follow-up about the last report's causes."""

    def __init__(self, intent: Intent, last: report_pb2.Report, inquiry: Inquiry) -> None:
        self._intent = intent
        self._last = last
        self._turns = _turns_behind(last, inquiry)
        self._read = False

    def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Read again what advice on ending a session would rest on, where that is old, and topics; then answer."""
        if not self._read:
            self._read = True
            wanted = (*self._again(inquiry), *self._topical(inquiry))
            if wanted:
                return CallTools(wanted)
        return Conclude(self.conclude(inquiry))

    def conclude(self, inquiry: Inquiry) -> Draft:
        """The known causes, checked once more, and what of them is asked for."""
        del inquiry
        return Draft(
            causes=causes_of(self._last),
            aspects=tuple(
                aspect for aspect in self._intent.aspects if aspect not in (Aspect.STILL, Aspect.WELL, Aspect.TREND)
            ),
            asked_about=self._intent.connection,
            topics=self._intent.topics,
            on_session=True,
            turns=self._turns,
        )

    def _again(self, inquiry: Inquiry) -> tuple[ToolRequest, ...]:
        if not {Aspect.KILL, Aspect.RESTART} & set(self._intent.aspects) or not self._is_old(inquiry):
            return ()
        causes = causes_of(self._last)
        names = dict.fromkeys(cause.name for cause in causes)
        health = tuple(ToolRequest("get_health", {"name": name}) for name in names)
        return (*health, *confirming_requests(causes, inquiry.records, refresh=True))

    def _topical(self, inquiry: Inquiry) -> tuple[ToolRequest, ...]:
        names = dict.fromkeys(cause.name for cause in self._last.root_causes)
        return requests_for(self._intent.topics, inquiry, fleet=self._intent.fleet, names=names)

    def _is_old(self, inquiry: Inquiry) -> bool:
        """By when its evidence was read: a report that only repeats it is younger than what it says."""
        read_at = [epoch_seconds(one.observed_at) for one in self._last.evidence if one.HasField("observed_at")]
        return inquiry.asked_at - min(read_at, default=0.0) > FRESH_SECONDS


def causes_of(report: report_pb2.Report) -> tuple[DraftCause, ...]:
    """The causes of an earlier report as claims to be checked once more; their text is written anew."""
    return tuple(
        DraftCause(
            kind=cause.kind,
            name=cause.name,
            confidence=cause.confidence,
            entities=tuple(EntityClaim(entity.role, entity.type, entity.value) for entity in cause.entities),
        )
        for cause in report.root_causes
    )


def _turns_behind(last: report_pb2.Report, inquiry: Inquiry) -> tuple[int, ...]:
    """The questions about the same time and target as a report: what is known of now says nothing of last night."""
    about = (last.target, last.about_start.seconds, last.about_end.seconds)
    return tuple(
        number
        for number, turn in enumerate(inquiry.earlier)
        if turn.report is not None
        and (turn.report.target, turn.report.about_start.seconds, turn.report.about_end.seconds) == about
    )
