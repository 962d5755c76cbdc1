"""Undo that waits to be purged, and the oldest transaction that may still read it."""

from __future__ import annotations

from services.shard.facts.growth import COUNTER_STATEMENTS, growth
from services.shard.facts.sessions import SESSION_STATEMENTS, read_sessions
from services.shard.facts.transactions import read_transactions, read_view_seconds
from services.shard.mysql.innodb_monitor import parse_monitor
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView, text
from storex.diagnostics.v1 import innodb_pb2, session_pb2

WINDOW = 15.0
"""How far back the history's growth is measured, in seconds, where that much has been sampled."""
_LENGTH = "Innodb_history_list_length"


async def get_purge_state(
    view: InstanceView, _request: innodb_pb2.GetPurgeStateRequest
) -> innodb_pb2.GetPurgeStateResponse:
    """Read the history's length, the monitor's read views, and INNODB_TRX with the sessions."""
    began = view.clock.now()
    results = await view.source.read(
        Statement.TRANSACTIONS, Statement.INNODB_STATUS, *SESSION_STATEMENTS, *COUNTER_STATEMENTS
    )
    grown = growth(view, results, WINDOW)
    printed = "".join(text(row["status"]) for row in results.rows(Statement.INNODB_STATUS)[:1])
    monitor = parse_monitor(printed).numbers
    response = innodb_pb2.GetPurgeStateResponse(
        observation=view.observation(began, results),
        history_list_length=int(grown.now.get(_LENGTH, monitor.get("history_list_length", 0))),
        read_views=int(monitor.get("read_views", 0)),
        changes_per_second=round(grown.rows_changed() / grown.seconds, 3) if grown.seconds else 0.0,
        window_seconds=grown.seconds,
    )
    oldest = _oldest(read_transactions(results, read_sessions(results, view.texts)))
    if oldest is not None:
        response.oldest_view.CopyFrom(oldest)
    return response


def _oldest(transactions: list[session_pb2.Transaction]) -> session_pb2.Transaction | None:
    candidates = [found for found in transactions if found.connection_id > 0 and read_view_seconds(found) > 0]
    return max(candidates, key=read_view_seconds, default=None)
