"""The statements that run at this moment, by session and by digest."""

from __future__ import annotations

from libs.core.paging import page_of
from services.shard.facts.sessions import SESSION_STATEMENTS, is_client, is_idle, read_sessions
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.sampler import LOCK_STATES, OWN_PROGRAM
from services.shard.view import InstanceView, real, whole
from storex.diagnostics.v1 import activity_pb2


async def list_running_statements(
    view: InstanceView, request: activity_pb2.ListRunningStatementsRequest
) -> activity_pb2.ListRunningStatementsResponse:
    """Read the sessions that are at work, with what the engine tells of their statements and transactions."""
    began = view.clock.now()
    results = await view.source.read(*SESSION_STATEMENTS, Statement.TRANSACTIONS)
    running = sorted(_running(view, results), key=lambda one: (-one.running_seconds, one.session.connection_id))
    page, token = page_of(running, request.page_size, request.page_token, default=100, largest=1000)
    return activity_pb2.ListRunningStatementsResponse(
        observation=view.observation(began, results),
        statements=page,
        next_page_token=token,
        total_count=len(running),
        digests=_by_digest(running),
    )


def _running(view: InstanceView, results: ResultSets) -> list[activity_pb2.RunningStatement]:
    sessions = read_sessions(results, view.texts)
    examined = {whole(row["connection_id"]): row["rows_examined"] for row in results.rows(Statement.PROCESSES)}
    open_for = {whole(row["connection_id"]): real(row["age_seconds"]) for row in results.rows(Statement.TRANSACTIONS)}
    return [
        activity_pb2.RunningStatement(
            session=session,
            running_seconds=session.seconds,
            rows_examined_known=examined[number] is not None,
            rows_examined=whole(examined[number]),
            waits_for_lock=LOCK_STATES.search(session.state) is not None,
            transaction_seconds=round(open_for.get(number, 0.0), 3),
        )
        for number, session in sessions.items()
        if is_client(session)
        and not is_idle(session)
        and session.HasField("statement")
        and session.program != OWN_PROGRAM
    ]


def _by_digest(running: list[activity_pb2.RunningStatement]) -> list[activity_pb2.RunningDigest]:
    found: dict[str, activity_pb2.RunningDigest] = {}
    for one in running:
        digest = one.session.statement.digest
        entry = found.setdefault(digest, activity_pb2.RunningDigest(statement=one.session.statement))
        entry.sessions += 1
        entry.waiting_for_locks += one.waits_for_lock
        entry.longest_seconds = max(entry.longest_seconds, one.running_seconds)
    return sorted(found.values(), key=lambda one: (-one.sessions, -one.longest_seconds, one.statement.digest))
