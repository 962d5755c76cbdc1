"""What each blind spot costs: the diagnostics and the root causes that see nothing, or less, because of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

Place = tuple[str, str]
"""Source and code of a blind spot, as in the limits of answers."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Tools by name and causes by id, those that go blind apart from those that only see less."""

    blind_tools: tuple[str, ...] = ()
    weaker_tools: tuple[str, ...] = ()
    blind_causes: tuple[str, ...] = ()
    weaker_causes: tuple[str, ...] = ()


PROCESS = ("process", "PRIVILEGE_MISSING")
PERFORMANCE_SCHEMA = ("performance_schema", "PERFORMANCE_SCHEMA_OFF")
PERFORMANCE_SCHEMA_PRIVILEGE = ("performance_schema", "PRIVILEGE_MISSING")
INSTRUMENTATION = ("performance_schema", "INSTRUMENTATION_OFF")
DIGESTS = ("statement_digests", "STATEMENT_DIGESTS_OFF")
DIGEST_TABLE_FULL = ("statement_digests", "DIGEST_TABLE_FULL")
DIGEST_TEXT = ("statement_digests", "DIGEST_TEXT_OFF")
STATEMENT_INSTRUMENTS = ("statement_digests", "STATEMENT_INSTRUMENTS_OFF")
ACTORS = ("statement_digests", "SESSIONS_NOT_INSTRUMENTED")
SESSION_STATEMENTS = ("session_statements", "STATEMENT_HISTORY_OFF")
METADATA_LOCKS = ("metadata_locks", "METADATA_LOCK_INSTRUMENT_OFF")
METADATA_LOCKS_LOST = ("metadata_locks", "METADATA_LOCKS_LOST")
THREADS_LOST = ("performance_schema", "THREADS_LOST")
PROGRAMS = ("programs", "CONNECT_ATTRIBUTES_OFF")
REPLICATION = ("replication", "PRIVILEGE_MISSING")
TABLES = ("tables", "PRIVILEGE_MISSING")
TABLE_STATISTICS = ("table_sizes", "PRIVILEGE_MISSING")
LOG_INSTRUMENTS = ("engine_counters", "LOG_INSTRUMENTS_OFF")
ERRORS = ("engine_counters", "ERROR_INSTRUMENT_OFF")
USERSTAT = ("failed_logins", "USERSTAT_OFF")
INNODB_MONITORS = ("innodb_counters", "INNODB_MONITOR_OFF")

_BY_DIGEST = (
    "query.missing_index",
    "query.plan_regression",
    "query.temp_spill",
    "query.heavy_scan",
    "traffic.n_plus_one",
    "lock.unindexed_write",
    "traffic.retry_storm",
)
_LOCKS = ("lock.row_blocker", "lock.metadata", "lock.global_read", "lock.hot_row")
_COUNTED_FAILURES = ("config.read_only", "capacity.table_full", "capacity.auto_increment")
_WITH_PROGRAMS = ("list_processes", "get_connections", "get_lock_waits")

_WITHOUT_PERFORMANCE_SCHEMA = Cost(
    blind_tools=("list_failing_statements",),
    weaker_tools=(
        *("list_top_queries", *_WITH_PROGRAMS, "get_commit_state", "get_read_only_state", "list_auto_increments"),
        *("list_table_limits", "get_replication"),
    ),
    blind_causes=_BY_DIGEST,
    weaker_causes=(
        *_LOCKS,
        *("maintenance.ddl", "connections.leak", "traffic.spike", "innodb.flush_per_commit", "replication.lag"),
        *_COUNTED_FAILURES,
    ),
)
_MYSQL_WITHOUT_PERFORMANCE_SCHEMA = Cost(
    blind_tools=("get_failed_logins", "list_failing_statements"),
    weaker_tools=(*_WITHOUT_PERFORMANCE_SCHEMA.weaker_tools, "list_variable_changes"),
    blind_causes=(*_BY_DIGEST, "lock.row_blocker", "lock.hot_row", "access.auth_failed"),
    weaker_causes=(
        *(cause for cause in _WITHOUT_PERFORMANCE_SCHEMA.weaker_causes if cause not in _LOCKS),
        *("lock.metadata", "lock.global_read", "config.change"),
    ),
)
_MYSQL_WITHOUT_ITS_PRIVILEGE = replace(
    _MYSQL_WITHOUT_PERFORMANCE_SCHEMA,
    # Unlike one that is switched off, it would say who has set which variable.
    blind_causes=(*_MYSQL_WITHOUT_PERFORMANCE_SCHEMA.blind_causes, "config.change"),
    weaker_causes=tuple(cause for cause in _MYSQL_WITHOUT_PERFORMANCE_SCHEMA.weaker_causes if cause != "config.change"),
)
_MYSQL_WITHOUT_INSTRUMENTATION = replace(
    _WITHOUT_PERFORMANCE_SCHEMA,
    blind_tools=(*_WITHOUT_PERFORMANCE_SCHEMA.blind_tools, "get_failed_logins"),
    blind_causes=(*_BY_DIGEST, "access.auth_failed"),
)
_FEWER_STATEMENTS = Cost(weaker_tools=("list_top_queries", "list_failing_statements"), weaker_causes=_BY_DIGEST)

_COSTS: dict[Place, Cost] = {
    PROCESS: Cost(
        blind_tools=("list_transactions", "get_lock_waits", "get_innodb_status", "get_purge_state"),
        weaker_tools=("list_maintenance", "list_processes", "get_connections", "get_overview", "get_redo_state"),
        blind_causes=(
            *(*_LOCKS, "lock.deadlock", "lock.unindexed_write", "connections.leak", "connections.exhausted"),
            *("innodb.purge_lag", "maintenance.ddl"),
        ),
        weaker_causes=("traffic.spike", "replication.lag", "innodb.redo_stall"),
    ),
    PERFORMANCE_SCHEMA: _WITHOUT_PERFORMANCE_SCHEMA,
    PERFORMANCE_SCHEMA_PRIVILEGE: _WITHOUT_PERFORMANCE_SCHEMA,
    INSTRUMENTATION: _WITHOUT_PERFORMANCE_SCHEMA,
    DIGESTS: Cost(
        blind_tools=("list_failing_statements",),
        weaker_tools=("list_top_queries", "get_read_only_state", "list_auto_increments", "list_table_limits"),
        blind_causes=_BY_DIGEST,
        weaker_causes=("traffic.spike", *_COUNTED_FAILURES),
    ),
    DIGEST_TABLE_FULL: Cost(
        weaker_tools=("list_top_queries", "list_failing_statements"), weaker_causes=(*_BY_DIGEST, "traffic.spike")
    ),
    DIGEST_TEXT: Cost(weaker_tools=("list_top_queries",), weaker_causes=_BY_DIGEST),
    STATEMENT_INSTRUMENTS: _FEWER_STATEMENTS,
    ACTORS: Cost(
        weaker_tools=("list_top_queries", "get_lock_waits", "list_processes"),
        weaker_causes=(*_BY_DIGEST, "lock.row_blocker", "lock.metadata"),
    ),
    SESSION_STATEMENTS: Cost(
        weaker_tools=("list_processes", "get_lock_waits", "list_failing_statements"),
        weaker_causes=("lock.row_blocker", "lock.metadata", "lock.global_read", "traffic.retry_storm"),
    ),
    METADATA_LOCKS: Cost(
        weaker_tools=("get_lock_waits", "get_replication"),
        weaker_causes=("lock.metadata", "lock.global_read", "replication.lag", "maintenance.ddl"),
    ),
    METADATA_LOCKS_LOST: Cost(
        weaker_tools=("get_lock_waits",), weaker_causes=("lock.metadata", "lock.global_read", "maintenance.ddl")
    ),
    THREADS_LOST: Cost(weaker_tools=(*_WITH_PROGRAMS, "list_top_queries"), weaker_causes=(*_LOCKS, "connections.leak")),
    PROGRAMS: Cost(weaker_tools=_WITH_PROGRAMS, weaker_causes=("lock.row_blocker", "connections.leak")),
    REPLICATION: Cost(
        blind_tools=("get_replication",),
        weaker_tools=("get_overview", "get_read_only_state"),
        blind_causes=("replication.stopped", "replication.error", "replication.lag"),
        weaker_causes=("config.read_only",),
    ),
    TABLES: Cost(
        blind_tools=("list_auto_increments", "list_table_limits"),
        weaker_tools=("get_replication",),
        blind_causes=("capacity.auto_increment", "capacity.table_full"),
        weaker_causes=("replication.lag",),
    ),
    TABLE_STATISTICS: Cost(weaker_tools=("get_buffer_pool",), weaker_causes=("innodb.buffer_pool",)),
    LOG_INSTRUMENTS: Cost(weaker_tools=("get_commit_state",), weaker_causes=("innodb.flush_per_commit",)),
    ERRORS: Cost(
        blind_tools=("get_failed_logins",),
        weaker_tools=("get_read_only_state",),
        blind_causes=("access.auth_failed",),
        weaker_causes=_COUNTED_FAILURES,
    ),
    USERSTAT: Cost(weaker_tools=("get_failed_logins",), weaker_causes=("access.auth_failed",)),
    INNODB_MONITORS: Cost(
        weaker_tools=("get_purge_state", "get_innodb_status", "get_overview"),
        weaker_causes=("innodb.purge_lag", "lock.deadlock"),
    ),
}

_ON_MYSQL: dict[Place, Cost] = {
    PERFORMANCE_SCHEMA: _MYSQL_WITHOUT_PERFORMANCE_SCHEMA,
    PERFORMANCE_SCHEMA_PRIVILEGE: _MYSQL_WITHOUT_ITS_PRIVILEGE,
    INSTRUMENTATION: _MYSQL_WITHOUT_INSTRUMENTATION,
}

PLACES = tuple(_COSTS)
"""Every blind spot that is known, the dearest first."""


def cost_of(place: Place, engine: str) -> Cost:
    """What a blind spot costs on that engine."""
    return _ON_MYSQL.get(place, _COSTS[place]) if engine == "MySQL" else _COSTS[place]
