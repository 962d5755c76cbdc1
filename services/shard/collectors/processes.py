"""The sessions, running ones first."""

from __future__ import annotations

from libs.core.paging import page_of
from services.shard.facts.sessions import SESSION_STATEMENTS, is_idle, read_sessions
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2


async def list_processes(
    view: InstanceView, request: diagnostics_pb2.ListProcessesRequest
) -> diagnostics_pb2.ListProcessesResponse:
    """Read the process list with programs and statements."""
    began = view.clock.now()
    results = await view.source.read(*SESSION_STATEMENTS)
    sessions = list(read_sessions(results, view.texts).values())
    wanted = sorted(
        (session for session in sessions if request.include_idle or not is_idle(session)),
        key=lambda session: (is_idle(session), -session.seconds, session.connection_id),
    )
    page, token = page_of(wanted, request.page_size, request.page_token, default=100, largest=1000)
    return diagnostics_pb2.ListProcessesResponse(
        observation=view.observation(began, results),
        processes=page,
        next_page_token=token,
        total_count=len(sessions),
    )
