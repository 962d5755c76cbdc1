"""What is true of an incident under way, found out at the server: an observer for each id, in an explicit registry.

An observer is told which session, statement or table the injector used, and reads from the server who that is there.
It shares nothing with Storex's collectors: a report is judged by what it finds.
"""

from __future__ import annotations

from collections.abc import Callable

from libs.lab.accounts import Connection
from libs.lab.injection import Injection, Target
from libs.lab.observers import server, sessions, statements
from libs.lab.truth import HEALTHY, Entity, Truth

Observer = Callable[[Connection, Injection, Target], tuple[Entity, ...]]

OBSERVERS: dict[str, Observer] = {
    "lock.row_blocker": sessions.idle_transaction,
    "lock.metadata": sessions.table_lock,
    "lock.global_read": sessions.global_lock,
    "lock.deadlock": statements.statement_and_table,
    "lock.hot_row": statements.statement_and_table,
    "lock.unindexed_write": statements.statement_and_table,
    "query.missing_index": statements.statement_and_table,
    "query.plan_regression": statements.statement_and_index,
    "query.temp_spill": statements.statement_and_variable,
    "query.heavy_scan": statements.statement_and_table,
    "traffic.spike": statements.busiest_program,
    "traffic.n_plus_one": statements.statement_and_table,
    "traffic.retry_storm": statements.failing_statement,
    "connections.leak": sessions.most_connected,
    "connections.exhausted": sessions.most_connected,
    "innodb.purge_lag": sessions.oldest_read_view,
    "innodb.buffer_pool": server.changed_variable,
    "innodb.flush_per_commit": server.changed_variable,
    "innodb.redo_stall": server.changed_variable,
    "replication.stopped": server.channel,
    "replication.error": server.channel,
    "replication.lag": server.channel_and_table,
    "maintenance.ddl": sessions.table_change,
    "config.read_only": server.changed_variable,
    "config.change": server.changed_variable,
    "capacity.table_full": server.table,
    "capacity.auto_increment": server.table,
    "access.auth_failed": server.refused_logins,
}
"""Every fault's observer by its id."""


def truth_of(incident_id: str, injection: Injection, target: Target) -> Truth:
    """Find out what is true of an incident under way. Raises IncidentError when the server does not show it."""
    if injection.parts:
        parts = [truth_of(part, done, target) for part, done in injection.parts.items()]
        faults = [part for part in parts if part.kind != HEALTHY] or [Truth(HEALTHY)]
        return Truth(faults[0].kind, faults[0].entities, also=tuple(faults[1:]))
    if incident_id not in OBSERVERS:
        return Truth(HEALTHY)
    with target.administrator.connect(program="lab") as observer:
        return Truth(incident_id, OBSERVERS[incident_id](observer, injection, target))
