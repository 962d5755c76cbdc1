"""MariaDB 10.6 and later."""

from __future__ import annotations

from services.shard.mysql.dialects.base import (
    COMMON_PROBES,
    COMMON_SESSION_SETTINGS,
    COMMON_STATEMENTS,
    HANDLES,
    OWN_ID,
    RECENTLY,
    Dialect,
    applier_locks,
    digests,
    metadata_locks,
)
from services.shard.mysql.features import Feature
from services.shard.mysql.statements import Statement

# The performance schema knows appliers by no connection id: where there is one only, it is the process list's one.
_APPLIER_ID = (
    f"COALESCE({OWN_ID}, IF(t.name = 'thread/sql/slave_sql', (SELECT IF(COUNT(*) = 1, MAX(id), NULL)"  # noqa: S608
    " FROM information_schema.processlist WHERE command = 'Slave_SQL'), NULL))"
)

# LOCK TABLES … READ is told like any reader's lock, though it keeps writers out: a session that does nothing, and still
# has the table locked outside of its engine, has locked it so. The handles have no index: they are read once.
_LOCK_TYPE = (
    "IF(l.lock_type = 'SHARED_READ' AND t.processlist_command = 'Sleep'"
    " AND (l.owner_thread_id, l.object_schema, l.object_name) IN (SELECT h.owner_thread_id, h.object_schema,"
    " h.object_name FROM performance_schema.table_handles h WHERE h.external_lock = 'READ EXTERNAL'),"
    " 'SHARED_READ_ONLY', l.lock_type)"
)

MARIADB = Dialect(
    engine="MariaDB",
    session_settings=COMMON_SESSION_SETTINGS,
    statement_limit=lambda seconds: f"SET SESSION max_statement_time = {seconds:.3f}",
    statements={
        **COMMON_STATEMENTS,
        Statement.DIGESTS: f"{digests()}{HANDLES}",
        Statement.RECENT_DIGESTS: f"{digests(RECENTLY)}{HANDLES}",
        Statement.SERVER: (
            "SELECT VERSION() AS version, @@global.performance_schema AS performance_schema,"
            " @@global.read_only AS read_only, @@global.max_connections AS max_connections,"
            " @@global.server_id AS server_id, '' AS server_uuid"
        ),
        Statement.PROCESSES: (
            "SELECT id AS connection_id, user, host, db AS schema_name, command, state, time_ms / 1000 AS seconds,"
            " LEFT(info, 16384) AS info, examined_rows AS rows_examined"
            " FROM information_schema.processlist"
        ),
        Statement.ROW_LOCK_WAITS: (
            "SELECT requesting_trx_id AS waiting_transaction_id, blocking_trx_id AS blocking_transaction_id,"
            " requested_lock_id AS waiting_lock_id, blocking_lock_id"
            " FROM information_schema.innodb_lock_waits"
        ),
        # Holds only locks that somebody waits for or waits with.
        Statement.ROW_LOCKS: (
            "SELECT lock_id, lock_mode, lock_type, NULL AS schema_name, lock_table AS table_name,"
            " lock_index AS index_name, CONCAT_WS(':', lock_space, lock_page, lock_rec) AS record"
            " FROM information_schema.innodb_locks"
        ),
        Statement.TABLE_MODIFICATIONS: (
            "SELECT name AS file_name, modified_counter AS rows_changed FROM information_schema.innodb_sys_tablestats"
            " WHERE modified_counter > 0"
        ),
        Statement.INNODB_MONITORS: (
            "SELECT name AS name, enabled AS enabled FROM information_schema.innodb_metrics"
            " WHERE name IN ('trx_rseg_history_len', 'lock_deadlocks')"
        ),
        Statement.REPLICA_STATUS: "SHOW ALL SLAVES STATUS",
        Statement.SETTINGS: (
            "SELECT LOWER(variable_name) AS variable_name, global_value AS value, default_value AS default_value,"
            " NULL AS set_seconds_ago, 0 AS set_by_storex FROM information_schema.system_variables"
            " WHERE global_value_origin = 'SQL'"
        ),
        # Empty unless userstat is on. Which account it was is not kept: by user only those that got in are counted.
        Statement.FAILED_LOGINS: (
            "SELECT '' AS user, client AS host, denied_connections AS failed, NULL AS seconds_ago"
            " FROM information_schema.client_statistics WHERE denied_connections > 0"
        ),
        Statement.METADATA_LOCKS: metadata_locks(_APPLIER_ID, _LOCK_TYPE),
        Statement.APPLIER_LOCKS: applier_locks(_APPLIER_ID),
        Statement.APPLIERS: (
            "SELECT id AS connection_id, state AS state, time_ms / 1000 AS seconds FROM information_schema.processlist"
            " WHERE user = 'system user' AND command IN ('Slave_SQL', 'Slave_worker')"
        ),
    },
    explain="EXPLAIN EXTENDED",
    probes={**COMMON_PROBES, Feature.REPLICATION_PRIVILEGE: "SHOW ALL SLAVES STATUS"},
)
