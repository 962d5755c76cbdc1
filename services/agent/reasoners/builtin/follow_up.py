"""A follow-up question, answered from what the session has recorded; read again only what may have changed."""

from __future__ import annotations

from services.agent.inquiry import CallTools, Conclude, Inquiry, ToolRequest
from services.agent.reasoners.builtin.findings import confirming_requests
from services.agent.reasoners.builtin.intent import connection_asked_about
from services.agent.report.draft import Aspect, Draft, DraftCause, EntityClaim
from services.agent.timestamps import epoch_seconds
from storex.agent.v1 import report_pb2

FRESH_SECONDS = 30.0
"""How old evidence may be for advice on ending a session: ids are reused, and locks come and go."""


class FollowUp:
    """Moves of one follow-up about the last report's causes."""

    def __init__(self, aspects: tuple[Aspect, ...], last: report_pb2.Report) -> None:
        self._aspects = aspects
        self._last = last
        self._read_again = False

    def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Read the evidence again where advice on ending a session would rest on old one; then answer."""
        causes = causes_of(self._last)
        if Aspect.KILL in self._aspects and not self._read_again and self._is_old(inquiry):
            self._read_again = True
            names = dict.fromkeys(cause.name for cause in causes)
            health = tuple(ToolRequest("get_health", {"name": name}) for name in names)
            return CallTools((*health, *confirming_requests(causes, inquiry.records, refresh=True)))
        asked = connection_asked_about(inquiry.question)
        return Conclude(Draft(causes=causes, aspects=self._aspects, asked_about=asked, on_session=True))

    def _is_old(self, inquiry: Inquiry) -> bool:
        return inquiry.asked_at - epoch_seconds(self._last.created_at) > FRESH_SECONDS


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
