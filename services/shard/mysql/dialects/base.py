"""What a dialect is, and the statements that read the same in all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from services.shard.mysql.features import Capabilities, Feature
from services.shard.mysql.statements import FUNCTION, HANDLE, NEEDS, PROCEDURE, RECENT_SECONDS, ROW_CAPS, Statement

Sql = str | Callable[[Capabilities], str]
"""A statement's text, or how to choose it by what the server offers."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """An engine's way of saying things."""

    engine: str
    session_settings: tuple[str, ...]
    """Statements that limit a session, right after it is opened."""
    statement_limit: Callable[[float], str]
    """The setting that limits each following statement, in seconds."""
    statements: Mapping[Statement, Sql]
    probes: Mapping[Feature, Sql]
    """A statement per feature. Where the feature is missing it fails, or, if it is a SELECT, returns no row."""
    explain: str
    """What is put before a SELECT for its plan as a table, whatever format is the server's default."""
    extra_needs: Mapping[Statement, tuple[Feature, ...]] = field(default_factory=dict)

    def sql(self, statement: Statement, capabilities: Capabilities) -> str:
        """The statement's text for a server, bounded to the rows that are read of it at most."""
        text = _text(self.statements[statement], capabilities)
        return f"{text} LIMIT {ROW_CAPS[statement]}" if statement in ROW_CAPS else text

    def probe(self, feature: Feature, capabilities: Capabilities) -> str:
        """The text of the statement that shows whether the feature is there; of `capabilities` it reads the version."""
        return _text(self.probes[feature], capabilities)

    def needs(self, statement: Statement) -> tuple[Feature, ...]:
        """The features that the statement needs on this engine."""
        return NEEDS.get(statement, ()) + self.extra_needs.get(statement, ())


def _text(sql: Sql, capabilities: Capabilities) -> str:
    return sql if isinstance(sql, str) else sql(capabilities)


COMMON_SESSION_SETTINGS = (
    "SET SESSION TRANSACTION READ ONLY",
    # A diagnostic never queues behind a lock that it may have been sent to diagnose.
    "SET SESSION lock_wait_timeout = 1, SESSION innodb_lock_wait_timeout = 1",
    "SET SESSION time_zone = '+00:00', SESSION wait_timeout = 120, SESSION net_write_timeout = 10",
)

_SUMS = (
    " sum_lock_time AS lock_picoseconds, sum_errors AS errors,"
    " sum_rows_affected AS rows_affected, sum_rows_sent AS rows_sent, sum_rows_examined AS rows_examined,"
    " sum_created_tmp_disk_tables AS temp_disk_tables, sum_no_index_used AS no_index_used,"
    " sum_created_tmp_tables AS temp_tables, sum_sort_merge_passes AS sort_merge_passes,"
    " sum_select_full_join AS full_joins, sum_select_scan AS full_scans"
)
_TIMED = "count_star AS calls, sum_timer_wait AS total_picoseconds"
_PROGRAMS = (
    "SELECT object_schema AS schema_name, LOWER(object_type) AS digest, object_name AS digest_text,"  # noqa: S608
    f" {_TIMED},{_SUMS} FROM performance_schema.events_statements_summary_by_program"
    f" WHERE object_type IN ('{PROCEDURE.upper()}', '{FUNCTION.upper()}') AND object_schema <> 'sys' AND count_star > 0"
)


def digests(condition: str = "") -> str:
    """`Statement.DIGESTS` or `Statement.RECENT_DIGESTS`: the rows of digests, and those of stored programs."""
    return (
        "SELECT schema_name, digest, LEFT(digest_text, 1024) AS digest_text,"  # noqa: S608
        f" {_TIMED},{_SUMS} FROM performance_schema.events_statements_summary_by_digest{condition}"
        f" UNION ALL {_PROGRAMS}"
    )


HANDLES = (
    f" UNION ALL SELECT t.processlist_db, CONCAT('{HANDLE}', p.object_instance_begin), LEFT(p.sql_text, 1024),"  # noqa: S608
    f" p.count_execute, p.sum_timer_execute,{_SUMS} FROM performance_schema.prepared_statements_instances p"
    " LEFT JOIN performance_schema.threads t ON t.thread_id = p.owner_thread_id"
    " WHERE p.statement_name IS NULL AND p.count_execute > 0"
)
"""What the engine counts for each handle of a statement that a client prepared in binary, to be added to `digests`."""

RECENTLY = f" WHERE last_seen >= NOW(6) - INTERVAL {RECENT_SECONDS} SECOND"

ENGINE_COUNTERS = (
    "SELECT 'log_flushes' AS variable_name, SUM(count_misc) AS value"
    " FROM performance_schema.file_summary_by_event_name"
    " WHERE event_name IN ('wait/io/file/innodb/innodb_log_file', 'wait/io/file/sql/binlog')"
    " UNION ALL SELECT 'log_flush_picoseconds', SUM(sum_timer_misc)"
    " FROM performance_schema.file_summary_by_event_name"
    " WHERE event_name IN ('wait/io/file/innodb/innodb_log_file', 'wait/io/file/sql/binlog')"
    # What is prepared in binary comes as another event; COMMIT hardly ever does.
    " UNION ALL SELECT 'commit_picoseconds', SUM(IF(event_name = 'statement/sql/commit', sum_timer_wait, 0))"
    " FROM performance_schema.events_statements_summary_global_by_event_name"
    " UNION ALL SELECT 'statement_picoseconds', SUM(sum_timer_wait)"
    " FROM performance_schema.events_statements_summary_global_by_event_name"
    " WHERE event_name LIKE 'statement/sql/%' OR event_name = 'statement/com/Execute'"
)

OWN_ID = "t.processlist_id"
"""A thread's connection id, by the engine's own account of it."""


def metadata_locks(connection_id: str, lock_type: str = "l.lock_type") -> str:
    """`Statement.METADATA_LOCKS`, where a thread `t` has that connection id, and its lock `l` that type."""
    return (
        "SELECT object_type, schema_name, object_name, lock_type, lock_status, connection_id FROM ("  # noqa: S608
        "SELECT l.object_type AS object_type, l.object_schema AS schema_name, l.object_name AS object_name,"
        f" {lock_type} AS lock_type, l.lock_status AS lock_status, {connection_id} AS connection_id"
        " FROM (SELECT DISTINCT object_type, object_schema, object_name FROM performance_schema.metadata_locks"
        " WHERE lock_status = 'PENDING') p"
        " JOIN performance_schema.metadata_locks l ON l.object_type = p.object_type"
        " AND l.object_schema <=> p.object_schema AND l.object_name <=> p.object_name"
        " JOIN performance_schema.threads t ON t.thread_id = l.owner_thread_id) k"
        " WHERE connection_id IS NOT NULL"
    )


def applier_locks(connection_id: str) -> str:
    """`Statement.APPLIER_LOCKS`, where a thread `t` has that connection id."""
    return (
        f"SELECT DISTINCT {connection_id} AS connection_id, l.object_schema AS schema_name,"  # noqa: S608
        " l.object_name AS table_name"
        " FROM performance_schema.threads t JOIN performance_schema.metadata_locks l"
        " ON l.owner_thread_id = t.thread_id"
        " WHERE t.name IN ('thread/sql/slave_sql', 'thread/sql/slave_worker', 'thread/sql/rpl_parallel_thread',"
        " 'thread/sql/replica_sql', 'thread/sql/replica_worker')"
        " AND l.object_type = 'TABLE' AND l.lock_status = 'GRANTED'"
    )


COMMON_STATEMENTS: dict[Statement, Sql] = {
    # Not from MySQL's performance schema: there the counters of commands (Com_commit …) are not among the status.
    Statement.GLOBAL_STATUS: "SHOW GLOBAL STATUS",
    Statement.GLOBAL_VARIABLES: "SHOW GLOBAL VARIABLES",
    Statement.INNODB_STATUS: "SHOW ENGINE INNODB STATUS",
    Statement.PROGRAMS: (
        "SELECT processlist_id AS connection_id, attr_value AS program FROM performance_schema.session_connect_attrs"
        " WHERE attr_name = 'program_name'"
    ),
    Statement.SESSION_STATEMENTS: (
        "SELECT t.processlist_id AS connection_id, s.digest AS digest, LEFT(s.digest_text, 4096) AS digest_text,"
        " s.end_event_id IS NOT NULL AS ended"
        " FROM performance_schema.threads t JOIN performance_schema.events_statements_current s"
        " ON s.thread_id = t.thread_id AND (s.nesting_event_level = 0 OR s.nesting_event_level IS NULL)"
        " WHERE t.processlist_id IS NOT NULL AND s.digest IS NOT NULL"
    ),
    Statement.TRANSACTIONS: (
        "SELECT trx_id AS transaction_id, trx_state AS state, trx_mysql_thread_id AS connection_id,"
        " TIMESTAMPDIFF(MICROSECOND, trx_started, NOW(6)) / 1e6 AS age_seconds,"
        " TIMESTAMPDIFF(MICROSECOND, trx_wait_started, NOW(6)) / 1e6 AS wait_seconds,"
        " trx_rows_locked AS rows_locked, trx_rows_modified AS rows_modified, trx_tables_locked AS tables_locked,"
        " trx_isolation_level AS isolation_level"
        " FROM information_schema.innodb_trx"
    ),
    Statement.METADATA_LOCKS: metadata_locks(OWN_ID),
    Statement.DIGESTS: digests(),
    Statement.RECENT_DIGESTS: digests(RECENTLY),
    Statement.CLIENT_VERSIONS: (
        "SELECT processlist_id AS connection_id, attr_name AS attribute, attr_value AS value"
        " FROM performance_schema.session_connect_attrs"
        " WHERE attr_name IN ('_client_name', '_client_version', 'program_version')"
    ),
    # A column's type and default may hold values of an ENUM: what leaves the server is a number made of them.
    Statement.COLUMNS: (
        "SELECT table_schema AS schema_name, table_name AS table_name, column_name AS column_name,"
        " data_type AS data_type, CRC32(CONCAT_WS('|', column_type, is_nullable, column_default, extra)) AS shape"
        " FROM information_schema.columns"
        " WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
    ),
    Statement.INDEXES: (
        "SELECT table_schema AS schema_name, table_name AS table_name, index_name AS index_name,"
        " MAX(non_unique) = 0 AS is_unique, GROUP_CONCAT(column_name ORDER BY seq_in_index) AS column_names"
        " FROM information_schema.statistics"
        " WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
        " GROUP BY table_schema, table_name, index_name"
    ),
    Statement.INNODB_COUNTERS: (
        "SELECT 'Innodb_history_list_length' AS variable_name, `count` AS value FROM information_schema.innodb_metrics"
        " WHERE name = 'trx_rseg_history_len'"
    ),
    Statement.ENGINE_COUNTERS: ENGINE_COUNTERS,
    Statement.TABLE_SIZES: (
        "SELECT SUM(clustered_index_size + sum_of_other_index_sizes) * @@innodb_page_size AS data_bytes"
        " FROM mysql.innodb_table_stats"
    ),
    Statement.AUTO_INCREMENTS: (
        "SELECT c.table_schema AS schema_name, c.table_name AS table_name, c.column_name AS column_name,"
        " c.column_type AS column_type, t.auto_increment AS next_number"
        " FROM information_schema.columns c JOIN information_schema.tables t"
        " ON t.table_schema = c.table_schema AND t.table_name = c.table_name"
        " WHERE c.extra LIKE '%auto_increment%'"
        " AND c.table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
    ),
    Statement.TABLE_LIMITS: (
        "SELECT table_schema AS schema_name, table_name AS table_name, engine AS engine, table_rows AS table_rows,"
        " data_length AS data_bytes, max_data_length AS limit_bytes"
        " FROM information_schema.tables"
        " WHERE engine IN ('MEMORY', 'MyISAM', 'Aria') AND max_data_length > 0"
        " AND table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
    ),
    Statement.KEYLESS_TABLES: (
        "SELECT t.table_schema AS schema_name, t.table_name AS table_name FROM information_schema.tables t"
        " LEFT JOIN (SELECT DISTINCT table_schema, table_name FROM (SELECT table_schema, table_name, index_name"
        " FROM information_schema.statistics WHERE non_unique = 0"
        " GROUP BY table_schema, table_name, index_name HAVING SUM(nullable = 'YES') = 0) u) k"
        " ON k.table_schema = t.table_schema AND k.table_name = t.table_name"
        " WHERE t.table_type = 'BASE TABLE' AND k.table_name IS NULL"
        " AND t.table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
    ),
    # Statements as clients send them: neither what procedures run, nor pings and goodbyes.
    # Twice over one table each: MariaDB has no indexes on these, and would go through one for each row of the other.
    Statement.ACCOUNT_WORK: (
        "SELECT user AS user, host AS host, total_connections AS connects, 0 AS statements, 0 AS failed"
        " FROM performance_schema.accounts WHERE user IS NOT NULL"
        " UNION ALL SELECT user, host, 0, SUM(count_star), SUM(sum_errors)"
        " FROM performance_schema.events_statements_summary_by_account_by_event_name"
        " WHERE count_star > 0 AND user IS NOT NULL"
        " AND (event_name LIKE 'statement/sql/%' OR event_name = 'statement/com/Execute') GROUP BY user, host"
    ),
    Statement.SESSION_WORK: (
        "SELECT t.processlist_id AS connection_id, s.statements AS statements, s.failed AS failed"
        " FROM (SELECT thread_id, SUM(count_star) AS statements, SUM(sum_errors) AS failed"
        " FROM performance_schema.events_statements_summary_by_thread_by_event_name"
        " WHERE count_star > 0"
        " AND (event_name LIKE 'statement/sql/%' OR event_name = 'statement/com/Execute') GROUP BY thread_id) s"
        " JOIN performance_schema.threads t ON t.thread_id = s.thread_id WHERE t.processlist_id IS NOT NULL"
    ),
    # The last ones are kept only where a consumer of their own is on, as MySQL starts and MariaDB does not.
    Statement.FAILED_STATEMENTS: (
        "SELECT t.processlist_id AS connection_id, f.schema_name AS schema_name, f.digest AS digest,"
        " f.error_number AS error_number, COUNT(*) AS failures FROM ("
        "SELECT thread_id, event_id, current_schema AS schema_name, digest, mysql_errno AS error_number"
        " FROM performance_schema.events_statements_history WHERE errors > 0 AND digest IS NOT NULL"
        " UNION SELECT thread_id, event_id, current_schema, digest, mysql_errno"
        " FROM performance_schema.events_statements_current WHERE errors > 0 AND digest IS NOT NULL) f"
        " JOIN performance_schema.threads t ON t.thread_id = f.thread_id WHERE t.processlist_id IS NOT NULL"
        " GROUP BY t.processlist_id, f.schema_name, f.digest, f.error_number"
    ),
    Statement.APPLIER_LOCKS: applier_locks(OWN_ID),
    Statement.ACCOUNT: "SELECT CURRENT_USER() AS account, UNIX_TIMESTAMP(SYSDATE(6)) AS server_seconds",
    Statement.GRANTS: (
        "SELECT g.privilege AS privilege, g.scope AS scope FROM ("
        "SELECT grantee, privilege_type AS privilege, '*.*' AS scope FROM information_schema.user_privileges"
        " UNION ALL SELECT grantee, privilege_type, CONCAT(table_schema, '.*')"
        " FROM information_schema.schema_privileges"
        " UNION ALL SELECT grantee, privilege_type, CONCAT(table_schema, '.', table_name)"
        " FROM information_schema.table_privileges) g"
        # As these tables write the account.
        " WHERE g.grantee = CONCAT('\\'', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '\\'@\\'',"
        " SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '\\'')"
    ),
    Statement.INSTRUMENTATION: (
        "SELECT 'consumer' AS kind, name AS name, enabled = 'YES' AS enabled FROM performance_schema.setup_consumers"
        " UNION ALL SELECT 'instrument', name, enabled = 'YES' FROM performance_schema.setup_instruments"
        " WHERE name IN ('wait/lock/metadata/sql/mdl', 'wait/io/file/innodb/innodb_log_file',"
        " 'wait/io/file/sql/binlog', 'wait/io/table/sql/handler', 'error')"
        " UNION ALL SELECT 'instrument', 'statement/sql/%', MIN(enabled = 'YES')"
        " FROM performance_schema.setup_instruments WHERE name LIKE 'statement/sql/%'"
        " UNION ALL SELECT 'actors', '%', enabled = 'YES' FROM performance_schema.setup_actors"
        " WHERE host = '%' AND user = '%'"
    ),
    Statement.INDEX_PARTS: (
        "SELECT table_schema AS schema_name, table_name AS table_name, index_name AS index_name,"
        " MAX(non_unique) = 0 AS is_unique, MAX(index_type) AS index_type,"
        " GROUP_CONCAT(CONCAT(COALESCE(column_name, CONCAT('<', index_name, '>')),"
        " IF(sub_part IS NULL, '', CONCAT('(', sub_part, ')'))) ORDER BY seq_in_index SEPARATOR '\\n') AS parts"
        " FROM information_schema.statistics"
        " WHERE table_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
        " GROUP BY table_schema, table_name, index_name"
    ),
    Statement.IDLE_INDEXES: (
        "SELECT object_schema AS schema_name, object_name AS table_name, index_name AS index_name"
        " FROM performance_schema.table_io_waits_summary_by_index_usage"
        " WHERE index_name IS NOT NULL AND count_star = 0"
        " AND object_schema NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys')"
    ),
    Statement.INDEX_SIZES: (
        "SELECT database_name AS schema_name, table_name AS table_name, index_name AS index_name,"
        " stat_value * @@innodb_page_size AS index_bytes FROM mysql.innodb_index_stats WHERE stat_name = 'size'"
    ),
    Statement.TABLE_STATISTICS: (
        "SELECT database_name AS schema_name, table_name AS table_name, n_rows AS table_rows,"
        " (clustered_index_size + sum_of_other_index_sizes) * @@innodb_page_size AS table_bytes,"
        " TIMESTAMPDIFF(SECOND, last_update, NOW()) AS updated_seconds_ago FROM mysql.innodb_table_stats"
    ),
    Statement.SIGHT_SETTINGS: (
        "SHOW GLOBAL VARIABLES WHERE variable_name IN ('userstat', 'max_digest_length',"
        " 'performance_schema_digests_size', 'performance_schema_session_connect_attrs_size')"
    ),
    Statement.DIGEST_TABLE: (
        "SELECT SUM(IF(digest IS NULL, count_star, 0)) AS lost_calls"
        " FROM performance_schema.events_statements_summary_by_digest"
    ),
}

COMMON_PROBES: dict[Feature, Sql] = {
    Feature.PROCESS_PRIVILEGE: "SELECT COUNT(*) FROM information_schema.innodb_trx",
    Feature.PERFORMANCE_SCHEMA: "SELECT 1 FROM DUAL WHERE @@global.performance_schema = 1",
    Feature.PERFORMANCE_SCHEMA_PRIVILEGE: (
        "SELECT 1 FROM (SELECT COUNT(*) FROM performance_schema.threads WHERE 1 = 0) t"
    ),
    Feature.INSTRUMENTATION: (
        "SELECT 1 FROM (SELECT COUNT(*) AS watching FROM performance_schema.setup_consumers"
        " WHERE name IN ('global_instrumentation', 'thread_instrumentation') AND enabled = 'YES') c WHERE watching = 2"
    ),
    Feature.STATEMENT_DIGESTS: (
        "SELECT 1 FROM performance_schema.setup_consumers WHERE name = 'statements_digest' AND enabled = 'YES'"
    ),
    Feature.SESSION_STATEMENTS: (
        "SELECT 1 FROM performance_schema.setup_consumers WHERE name = 'events_statements_current' AND enabled = 'YES'"
    ),
    Feature.METADATA_LOCKS: (
        "SELECT 1 FROM performance_schema.setup_instruments"
        " WHERE name = 'wait/lock/metadata/sql/mdl' AND enabled = 'YES'"
    ),
    # A table that every server has, and that only a privilege on all of them shows; else any of an application.
    Feature.TABLES_PRIVILEGE: (
        "SELECT 1 FROM information_schema.tables WHERE table_schema = 'mysql' AND table_name = 'func'"
        " UNION ALL SELECT 1 FROM information_schema.tables WHERE table_schema"
        " NOT IN ('information_schema', 'performance_schema', 'mysql', 'sys') LIMIT 1"
    ),
}
