"""What findings of several kinds name and cite alike: sessions, statements, and how bad a queue is."""

from __future__ import annotations

import re

from libs.core.catalogue import AFFECTED, CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import entity
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, session_pb2

_CALL = re.compile(r"\s*CALL\s+((?:`[^`]*`|[^\s(`])+)", re.IGNORECASE)
CRITICAL_SESSIONS, CRITICAL_WAIT = 3, 10.0
"""So many sessions that wait, or one that waits so many seconds, is critical."""


def queue_severity(sessions: int, longest_wait: float) -> finding_pb2.Severity.ValueType:
    """How bad it is that so many sessions wait, the longest of them for so many seconds."""
    critical = sessions >= CRITICAL_SESSIONS or longest_wait >= CRITICAL_WAIT
    return finding_pb2.SEVERITY_CRITICAL if critical else finding_pb2.SEVERITY_WARNING


def owner_parts(role: str, user: str, host: str, program: str) -> list[entity_pb2.Entity]:
    """Who a session belongs to, as far as known."""
    return [
        entity(role, kind, value) for kind, value in (("user", user), ("host", host), ("program", program)) if value
    ]


def session_parts(role: str, session: session_pb2.Session) -> list[entity_pb2.Entity]:
    """A session by its connection id, and who it belongs to."""
    owner = owner_parts(role, session.user, session.host, session.program)
    return [entity(role, "connection_id", str(session.connection_id)), *owner]


def session_evidence(
    tool: str, answer: diagnostics_pb2.GetLockWaitsResponse, at: str, session: session_pb2.Session, who: str
) -> list[entity_pb2.Evidence]:
    """Who the session at a path belongs to, as far as known; `who` is how sentences call it."""
    owners = (("user", session.user), ("program", session.program))
    return [cite(tool, answer, f"{at}.{field}", f"The {who}'s {field}.") for field, known in owners if known]


def statement_parts(query: diagnostics_pb2.QueryStats) -> list[entity_pb2.Entity]:
    """A statement as the cause, with the tables in its text and the schema that it runs in."""
    found = [entity(CAUSE, "statement_digest", query.statement.digest)]
    found += [entity(AFFECTED, "table", table) for table in query.tables]
    return [*found, entity(AFFECTED, "schema", query.schema)] if query.schema else found


def named_tables(query: diagnostics_pb2.QueryStats) -> str:
    """The tables of a statement, for a sentence."""
    call = _CALL.match(query.statement.digest_text)
    return " and ".join(query.tables) or (f"tables inside {call[1]}" if call else "an unknown table")


def about(query: diagnostics_pb2.QueryStats) -> str:
    """What stands before the number of rows that a statement reads, where that is an estimate in part."""
    return "about " if query.rows_estimated else ""


STATEMENT_TOOL = "list_top_queries"

_STATEMENT_FIELDS = {
    "statement.digest": "The statement.",
    "calls": "Calls in the window.",
    "calls_per_second": "Calls a second.",
    "load": "Sessions busy with it, on average.",
    "average_seconds": "Average time of a call.",
    "rows_examined": "Rows that it read in the window.",
    "rows_sent": "Rows that it returned in the window.",
    "rows_affected": "Rows that it changed in the window.",
    "no_index_used": "Calls in the window that used no index.",
    "unindexed_calls": "Calls in the window that used no index, or read a table or an index whole.",
    "temp_disk_tables": "Temporary tables that went to disk in the window.",
    "running_sessions": "Sessions that run it now; these calls have not ended.",
    "running_seconds": "For how long the longest of them has run it, in seconds.",
    "running_load": "Sessions that samples caught running it, on average.",
    "work_change.before.calls": "Calls before the change.",
    "work_change.before.rows_examined": "Rows that a call read before.",
    "work_change.before.average_seconds": "Average time of a call before.",
    "work_change.after.calls": "Calls since.",
    "work_change.after.rows_examined": "Rows that a call reads since.",
    "work_change.after.average_seconds": "Average time of a call since.",
    "work_change.after.unindexed_share": "Share of the calls since that read something whole.",
}


def statement_evidence(
    answer: diagnostics_pb2.ListTopQueriesResponse, place: int, *fields: str
) -> list[entity_pb2.Evidence]:
    """The statement at a place, these figures of it, and the window that they were measured over."""
    cited = [
        cite(STATEMENT_TOOL, answer, f"queries[{place}].{field}", _STATEMENT_FIELDS[field])
        for field in ("statement.digest", *fields)
    ]
    return [*cited, cite(STATEMENT_TOOL, answer, "window_seconds", "The window that this was measured over.")]
