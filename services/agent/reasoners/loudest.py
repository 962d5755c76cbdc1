"""`loudest`, a yardstick: blames whatever statement takes the most time, as a dashboard invites one to.

It never answers people. A candidate that is no better than this has understood nothing; the judge's evaluation shows
that its gate tells the two apart.
"""

from __future__ import annotations

from services.agent.inquiry import CallTools, Conclude, Inquiry, ToolRequest
from services.agent.report.draft import Draft, DraftCause, EntityClaim
from storex.diagnostics.v1.diagnostics_pb2 import ListTopQueriesResponse

LABEL = "loudest"
_SURE = 0.9
_TOOLS = ("get_overview", "get_health", "list_top_queries")


class Loudest:
    """Reads the costliest statements of an instance and names the first of them as a heavy scan."""

    label = LABEL
    tokens = (0, 0)
    cost = 0.0

    def __init__(self) -> None:
        self._asked = False

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Read once, then conclude."""
        if self._asked or not inquiry.target.is_instance:
            return Conclude(self.conclude(inquiry))
        self._asked = True
        return CallTools(tuple(ToolRequest(tool, {"name": str(inquiry.target.name)}) for tool in _TOOLS))

    def conclude(self, inquiry: Inquiry) -> Draft:
        """The loudest statement as the one cause, if any statement was read."""
        name = str(inquiry.target.name)
        record = inquiry.records.latest("list_top_queries", name)
        answer = record.message if record is not None else None
        if not isinstance(answer, ListTopQueriesResponse) or not answer.queries:
            return Draft()
        loudest = max(answer.queries, key=lambda query: query.total_seconds)
        statement = EntityClaim("cause", "statement_digest", loudest.statement.digest)
        return Draft(causes=(DraftCause("query.heavy_scan", name, _SURE, (statement,)),))
