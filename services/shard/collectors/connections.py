"""Connections against their limit, by owner, and how they grew."""

from __future__ import annotations

import statistics
from collections import defaultdict

from services.shard.facts.growth import Growth, growth
from services.shard.facts.sessions import is_client, is_idle, read_sessions
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import Owner
from services.shard.view import InstanceView, real, text, whole
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

GROWTH_WINDOW = 300.0
"""How far back growth is measured, in seconds, where that much has been sampled."""
_REFUSED = "Connection_errors_max_connections"
FAILURES = {
    "Aborted_clients": "Connections that ended without a goodbye: a client died, timed out, or was killed.",
    "Aborted_connects": "Attempts to connect that failed: a wrong password or database, a broken packet, a time-out.",
    "Access_denied_errors": "Attempts that were refused for lack of rights.",
    _REFUSED: "Attempts that were refused at the connection limit.",
    "Connection_errors_accept": "Errors while a connection was accepted.",
    "Connection_errors_internal": "Errors within the server, such as no memory for a thread.",
    "Connection_errors_peer_address": "Errors while the client's address was looked up.",
    "Connection_errors_select": "Errors while the server waited on its port.",
    "Connection_errors_tcpwrap": "Attempts that libwrap refused.",
}
"""What the counters of failed connections mean."""


async def get_connections(
    view: InstanceView, _request: diagnostics_pb2.GetConnectionsRequest
) -> diagnostics_pb2.GetConnectionsResponse:
    """Read the process list, open transactions and the connection counters."""
    began = view.clock.now()
    results = await view.source.read(
        Statement.PROCESSES, Statement.PROGRAMS, Statement.TRANSACTIONS, Statement.SERVER, Statement.GLOBAL_STATUS
    )
    sessions = [session for session in read_sessions(results, view.texts).values() if is_client(session)]
    in_transaction = {whole(row["connection_id"]) for row in results.rows(Statement.TRANSACTIONS)}
    status = {text(row["variable_name"]): row["value"] for row in results.rows(Statement.GLOBAL_STATUS)}
    now = view.clock.monotonic()
    before = view.history.connections_before(now, GROWTH_WINDOW)
    idle = sum(is_idle(session) for session in sessions)
    grown = growth(view, results, GROWTH_WINDOW)
    response = diagnostics_pb2.GetConnectionsResponse(
        observation=view.observation(began, results),
        current=whole(status.get("Threads_connected")),
        max_used=whole(status.get("Max_used_connections")),
        running=sum(not is_idle(session) for session in sessions),
        refused=_refused(view, now, real(status.get(_REFUSED))),
        groups=_groups(sessions, in_transaction, {} if before is None else dict(before.counts), before is not None),
        window_seconds=0.0 if before is None else round(now - before.at, 3),
        idle=idle,
        idle_ratio=round(idle / len(sessions), 4) if sessions else 0.0,
        connects_per_second=grown.rate("Connections"),
        failures=_failures(grown),
    )
    for row in results.rows(Statement.SERVER)[:1]:
        response.max_connections = whole(row["max_connections"])
    if response.max_connections > 0:
        response.used_ratio = round(response.current / response.max_connections, 4)
        for group in response.groups:
            group.limit_ratio = round(group.total / response.max_connections, 4)
    return response


def _failures(grown: Growth) -> list[diagnostics_pb2.ConnectionFailures]:
    counts = {counter: int(grown.of(counter)) for counter in FAILURES}
    return [
        diagnostics_pb2.ConnectionFailures(counter=counter, description=FAILURES[counter], count=count)
        for counter, count in counts.items()
        if count
    ]


def _refused(view: InstanceView, now: float, count: float) -> int:
    before = view.history.status_before(now, GROWTH_WINDOW)
    return 0 if before is None else int(max(0.0, count - before.values.get(_REFUSED, count)))


def _groups(
    sessions: list[session_pb2.Session], in_transaction: set[int], before: dict[Owner, int], sampled: bool
) -> list[diagnostics_pb2.ConnectionGroup]:
    by_owner: dict[Owner, list[session_pb2.Session]] = defaultdict(list)
    for session in sessions:
        by_owner[(session.user, session.host, session.program)].append(session)
    groups = []
    for owner, mine in by_owner.items():
        idle = [session for session in mine if is_idle(session)]
        idle_times = [session.seconds for session in idle]
        groups.append(
            diagnostics_pb2.ConnectionGroup(
                user=owner[0],
                host=owner[1],
                program=owner[2],
                total=len(mine),
                idle_ratio=round(len(idle) / len(mine), 4),
                running=len(mine) - len(idle),
                idle=len(idle),
                idle_in_transaction=sum(session.connection_id in in_transaction for session in idle),
                longest_idle_seconds=max(idle_times, default=0.0),
                median_idle_seconds=round(statistics.median(idle_times), 3) if idle_times else 0.0,
                growth=len(mine) - before.get(owner, 0) if sampled else 0,
            )
        )
    return sorted(groups, key=lambda group: (-group.total, group.user, group.host, group.program))
