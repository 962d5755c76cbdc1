"""MySQL 8.0 to 9.x."""

from __future__ import annotations

from services.shard.mysql.dialects.base import (
    COMMON_PROBES,
    COMMON_SESSION_SETTINGS,
    COMMON_STATEMENTS,
    ENGINE_COUNTERS,
    Dialect,
)
from services.shard.mysql.features import Capabilities, Feature
from services.shard.mysql.statements import Statement


def _processes(capabilities: Capabilities) -> str:
    """From performance_schema where it can be read: the other table takes the lock on all threads while it is read."""
    if capabilities.has(Feature.PERFORMANCE_SCHEMA_PRIVILEGE) and capabilities.has(Feature.PERFORMANCE_SCHEMA):
        return (
            "SELECT processlist_id AS connection_id, processlist_user AS user, processlist_host AS host,"
            " processlist_db AS schema_name, processlist_command AS command, processlist_state AS state,"
            " processlist_time AS seconds, LEFT(processlist_info, 16384) AS info, NULL AS rows_examined"
            " FROM performance_schema.threads"
            " WHERE processlist_id IS NOT NULL AND type = 'FOREGROUND'"
        )
    return (
        "SELECT id AS connection_id, user, host, db AS schema_name, command, state, time AS seconds,"
        " LEFT(info, 16384) AS info, NULL AS rows_examined"
        " FROM information_schema.processlist"
    )


def _replica_status(capabilities: Capabilities) -> str:
    return "SHOW REPLICA STATUS" if capabilities.version_number >= (8, 0, 22) else "SHOW SLAVE STATUS"


_ERRORS = (
    "SELECT CONCAT('error_', error_number), sum_error_raised"
    " FROM performance_schema.events_errors_summary_global_by_error"
    " WHERE error_number IN (1044, 1045, 1114, 1290, 1698, 1836, 3118)"
    # Counts that stand still would say that nothing goes wrong.
    " AND EXISTS (SELECT 1 FROM performance_schema.setup_instruments WHERE name = 'error' AND enabled = 'YES')"
)
MYSQL = Dialect(
    engine="MySQL",
    session_settings=(
        *COMMON_SESSION_SETTINGS,
        # Sizes and counters of tables as they are, not as they were a day ago.
        "SET SESSION information_schema_stats_expiry = 0",
    ),
    # Limits SELECT only; SHOW is bounded by the socket's time-out and by KILL.
    statement_limit=lambda seconds: f"SET SESSION max_execution_time = {max(1, round(seconds * 1000))}",
    statements={
        **COMMON_STATEMENTS,
        Statement.SERVER: (
            "SELECT VERSION() AS version, @@global.performance_schema AS performance_schema,"
            " @@global.read_only AS read_only, @@global.max_connections AS max_connections,"
            " @@global.server_id AS server_id, @@global.server_uuid AS server_uuid"
        ),
        Statement.PROCESSES: _processes,
        Statement.ROW_LOCK_WAITS: (
            "SELECT requesting_engine_transaction_id AS waiting_transaction_id,"
            " blocking_engine_transaction_id AS blocking_transaction_id,"
            " requesting_engine_lock_id AS waiting_lock_id, blocking_engine_lock_id AS blocking_lock_id"
            " FROM performance_schema.data_lock_waits"
        ),
        # data_locks may hold millions of rows; by lock id it is looked up, not scanned.
        Statement.ROW_LOCKS: (
            "SELECT l.engine_lock_id AS lock_id, l.lock_mode AS lock_mode, l.lock_type AS lock_type,"
            " l.object_schema AS schema_name, l.object_name AS table_name, l.index_name AS index_name,"
            # The id ends in space, page and heap number of the record, and an address.
            " IF(l.lock_type = 'RECORD', SUBSTRING_INDEX(SUBSTRING_INDEX(l.engine_lock_id, ':', -4), ':', 3), NULL)"
            " AS record"
            " FROM (SELECT requesting_engine_lock_id AS lock_id, engine FROM performance_schema.data_lock_waits"
            " UNION SELECT blocking_engine_lock_id, engine FROM performance_schema.data_lock_waits) w"
            " JOIN performance_schema.data_locks l ON l.engine_lock_id = w.lock_id AND l.engine = w.engine"
        ),
        Statement.TABLE_MODIFICATIONS: (
            "SELECT name AS file_name, modified_counter AS rows_changed FROM information_schema.innodb_tablestats"
            " WHERE modified_counter > 0"
        ),
        # Under the names that MariaDB gives them among its status variables.
        Statement.INNODB_COUNTERS: (
            "SELECT IF(name = 'lock_deadlocks', 'Innodb_deadlocks', 'Innodb_history_list_length') AS variable_name,"
            " count AS value FROM information_schema.innodb_metrics"
            " WHERE name IN ('lock_deadlocks', 'trx_rseg_history_len') AND status = 'enabled'"
        ),
        Statement.INNODB_MONITORS: (
            "SELECT name AS name, status = 'enabled' AS enabled FROM information_schema.innodb_metrics"
            " WHERE name IN ('trx_rseg_history_len', 'lock_deadlocks')"
        ),
        Statement.REPLICA_STATUS: _replica_status,
        Statement.ENGINE_COUNTERS: f"{ENGINE_COUNTERS} UNION ALL {_ERRORS}",
        Statement.SETTINGS: (
            "SELECT i.variable_name AS variable_name, g.variable_value AS value, NULL AS default_value,"
            " TIMESTAMPDIFF(MICROSECOND, i.set_time, NOW(6)) / 1e6 AS set_seconds_ago,"
            " i.set_user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AS set_by_storex"
            " FROM performance_schema.variables_info i JOIN performance_schema.global_variables g"
            " ON g.variable_name = i.variable_name"
            " WHERE i.variable_source = 'DYNAMIC' AND i.set_user IS NOT NULL"
        ),
        Statement.FAILED_LOGINS: (
            "SELECT user AS user, host AS host, SUM(sum_error_raised) AS failed,"
            " TIMESTAMPDIFF(MICROSECOND, MAX(last_seen), NOW(6)) / 1e6 AS seconds_ago"
            " FROM performance_schema.events_errors_summary_by_account_by_error"
            " WHERE error_number IN (1044, 1045, 1698, 3118) AND sum_error_raised > 0 GROUP BY user, host"
        ),
        Statement.APPLIERS: (
            "SELECT processlist_id AS connection_id, processlist_state AS state, processlist_time AS seconds"
            " FROM performance_schema.threads WHERE name IN ('thread/sql/slave_sql', 'thread/sql/slave_worker',"
            " 'thread/sql/replica_sql', 'thread/sql/replica_worker')"
        ),
    },
    explain="EXPLAIN FORMAT=TRADITIONAL",
    probes={**COMMON_PROBES, Feature.REPLICATION_PRIVILEGE: _replica_status},
    extra_needs={
        Statement.ROW_LOCK_WAITS: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
        Statement.ROW_LOCKS: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
        Statement.SETTINGS: (Feature.PERFORMANCE_SCHEMA_PRIVILEGE,),
        Statement.FAILED_LOGINS: (Feature.INSTRUMENTATION,),
        Statement.APPLIERS: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
    },
)
