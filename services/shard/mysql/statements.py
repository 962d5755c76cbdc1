"""The catalogue of statements: nothing else is ever sent to a database, apart from session settings and KILL.

A dialect gives each its SQL with the columns named here, so that a collector reads the same rows from any engine, and
a recorded world can be replayed in place of a live one.
"""

from __future__ import annotations

from enum import Enum

from services.shard.mysql.features import Feature


class Statement(Enum):
    """A catalogued statement; the value is its name in recordings and limits."""

    SERVER = "server"
    """One row: version, performance_schema, read_only, max_connections, server_id, server_uuid (empty for MariaDB)."""
    GLOBAL_STATUS = "global_status"
    """Rows of `variable_name`, `value`: SHOW GLOBAL STATUS."""
    GLOBAL_VARIABLES = "global_variables"
    """Rows of `variable_name`, `value`: SHOW GLOBAL VARIABLES."""
    PROCESSES = "processes"
    """connection_id, user, host, schema_name, command, state, seconds, info (its first 16 Ki characters: the rest
    counts as unfinished), rows_examined (None if not kept)."""
    PROGRAMS = "programs"
    """connection_id, program: from the connection attributes."""
    SESSION_STATEMENTS = "session_statements"
    """connection_id, digest, digest_text, ended (0 or 1): the current or last statement of each session."""
    TRANSACTIONS = "transactions"
    """transaction_id, state, age_seconds, wait_seconds, connection_id, rows_locked, rows_modified, tables_locked,
    isolation_level: information_schema.INNODB_TRX."""
    ROW_LOCK_WAITS = "row_lock_waits"
    """waiting_transaction_id, blocking_transaction_id, waiting_lock_id, blocking_lock_id."""
    ROW_LOCKS = "row_locks"
    """lock_id, lock_mode, lock_type, schema_name, table_name, index_name, record (space:page:heap number): of the locks
    that take part in a wait."""
    METADATA_LOCKS = "metadata_locks"
    """object_type, schema_name, object_name, lock_type, lock_status, connection_id, of objects waited for."""
    INNODB_STATUS = "innodb_status"
    """One row with the monitor's text in `status`."""
    DIGESTS = "digests"
    """schema_name, digest, digest_text and the counters of `DIGEST_COUNTERS`, times in picoseconds; counts_inside, 1
    where the counters of a statement have in them what a stored program that it calls ran."""
    RECENT_DIGESTS = "recent_digests"
    """The rows of `DIGESTS` that were seen in the last `RECENT_SECONDS`."""
    CLIENT_VERSIONS = "client_versions"
    """connection_id, attribute, value: what clients say of their driver and version."""
    COLUMNS = "columns"
    """schema_name, table_name, column_name, data_type and `shape`, a number that changes with the definition."""
    INDEXES = "indexes"
    """schema_name, table_name, index_name, is_unique, and `column_names` in order, separated by commas."""
    REPLICA_STATUS = "replica_status"
    """A row for each replication channel."""
    INNODB_COUNTERS = "innodb_counters"
    """variable_name, value: what only MariaDB shows in the status, `Innodb_deadlocks` and
    `Innodb_history_list_length`."""
    ENGINE_COUNTERS = "engine_counters"
    """variable_name, value: `log_flushes` and `log_flush_picoseconds` of both logs, `commit_picoseconds` and
    `statement_picoseconds`, the time in COMMIT and in all statements, and `error_NUMBER` where errors are counted."""
    SETTINGS = "settings"
    """variable_name, value, default_value (None if not kept) and set_seconds_ago (None if not known) of variables that
    were set while the server runs; set_by_storex where a session of Storex did so last, for itself: the server's own
    value may be as it always was."""
    TABLE_SIZES = "table_sizes"
    """One row: data_bytes of all InnoDB tables and their indexes, by their stored statistics."""
    AUTO_INCREMENTS = "auto_increments"
    """schema_name, table_name, column_name, column_type, next_number."""
    TABLE_LIMITS = "table_limits"
    """schema_name, table_name, engine, table_rows, data_bytes, limit_bytes, of tables that can hold only so much."""
    FAILED_LOGINS = "failed_logins"
    """user, host (empty if not kept), failed: logins refused since the engine began to count, and seconds_ago, when the
    last was (None if not kept)."""
    KEYLESS_TABLES = "keyless_tables"
    """schema_name, table_name of tables without a primary key or a unique one over columns that are not null."""
    APPLIERS = "appliers"
    """connection_id, state, seconds: the threads that apply what a replica received."""
    ACCOUNT_WORK = "account_work"
    """user, host, connects, statements, failed since the engine began to count; rows of one account are to be added
    up."""
    SESSION_WORK = "session_work"
    """connection_id, statements, failed: of the sessions that are open."""
    FAILED_STATEMENTS = "failed_statements"
    """connection_id, schema_name, digest, error_number, failures: of the last statements of each session, as many
    as the engine keeps."""
    APPLIER_LOCKS = "applier_locks"
    """connection_id (None if not known), schema_name, table_name: tables that such threads hold metadata locks on."""
    ACCOUNT = "account"
    """One row: the account as user@host, and server_seconds, the server's clock in seconds since the epoch."""
    GRANTS = "grants"
    """privilege, scope (`*.*`, `schema.*` or `schema.table`) of the account itself, without what roles give it."""
    INSTRUMENTATION = "instrumentation"
    """kind (consumer, instrument or actors), name, enabled (0 or 1): what the performance schema is told to watch; the
    instruments `statement/sql/%` are one row that is enabled where all of them are."""
    DIGEST_TABLE = "digest_table"
    """One row: lost_calls, those that found no place in the table of digests, of all its calls."""
    INDEX_PARTS = "index_parts"
    """schema_name, table_name, index_name, is_unique, index_type, and `parts`: its columns in order, a line each, with
    `(n)` behind one of which n characters are indexed, and `<index>` for an expression."""
    IDLE_INDEXES = "idle_indexes"
    """schema_name, table_name, index_name of indexes that nothing has read since the engine began to count."""
    INDEX_SIZES = "index_sizes"
    """schema_name, table_name, index_name, index_bytes, by stored statistics; a partition is a table `name#P#part`."""
    TABLE_STATISTICS = "table_statistics"
    """schema_name, table_name, table_rows, table_bytes, updated_seconds_ago: the stored statistics, as above."""
    TABLE_MODIFICATIONS = "table_modifications"
    """file_name (`schema/table`, as the engine names its files), rows_changed since the statistics were made."""
    SIGHT_SETTINGS = "sight_settings"
    """variable_name, value: the global variables that bound what the server shows."""
    INNODB_MONITORS = "innodb_monitors"
    """name, enabled (0 or 1): counters of INNODB_METRICS that are read."""


SHAREABLE = frozenset(
    {
        Statement.SERVER,
        Statement.GLOBAL_STATUS,
        Statement.GLOBAL_VARIABLES,
        Statement.PROCESSES,
        Statement.PROGRAMS,
        Statement.SESSION_STATEMENTS,
        Statement.TRANSACTIONS,
        Statement.INNODB_STATUS,
        Statement.REPLICA_STATUS,
        Statement.INNODB_COUNTERS,
        Statement.ENGINE_COUNTERS,
    }
)
"""Statements that collectors which look at one moment may share."""

KEPT_SECONDS: dict[Statement, float] = {
    Statement.SETTINGS: 5.0,
    Statement.TABLE_SIZES: 60.0,
    Statement.AUTO_INCREMENTS: 5.0,
    Statement.TABLE_LIMITS: 5.0,
    Statement.FAILED_LOGINS: 0.5,
    Statement.KEYLESS_TABLES: 60.0,
    **dict.fromkeys((Statement.GRANTS, Statement.INSTRUMENTATION, Statement.DIGEST_TABLE), 60.0),
    **dict.fromkeys((Statement.SIGHT_SETTINGS, Statement.INNODB_MONITORS), 60.0),
    **dict.fromkeys((Statement.INDEX_PARTS, Statement.IDLE_INDEXES, Statement.INDEX_SIZES), 60.0),
    **dict.fromkeys((Statement.TABLE_STATISTICS, Statement.TABLE_MODIFICATIONS), 60.0),
}
"""For how long the rows of a statement that is dear, or says the same for long, are given again, at least."""

DIGEST_COUNTERS = (
    "calls",
    "total_picoseconds",
    "lock_picoseconds",
    "errors",
    "rows_affected",
    "rows_sent",
    "rows_examined",
    "temp_disk_tables",
    "no_index_used",
    "temp_tables",
    "sort_merge_passes",
    "full_joins",
    "full_scans",
)
"""The counters of `Statement.DIGESTS`, in this order in samples."""
HANDLE = "handle:"
"""Stands before the place in memory of a prepared statement, in rows that are of one session's handle of it."""
PROCEDURE, FUNCTION = "procedure", "function"
"""Stand in the place of the digest in rows that are of a stored program; its name is in the place of the text."""

RECENT_SECONDS = 90
"""How far back `Statement.RECENT_DIGESTS` looks, by the server's clock."""

NEEDS: dict[Statement, tuple[Feature, ...]] = {
    Statement.PROGRAMS: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
    Statement.SESSION_STATEMENTS: (Feature.SESSION_STATEMENTS,),
    Statement.TRANSACTIONS: (Feature.PROCESS_PRIVILEGE,),
    Statement.ROW_LOCK_WAITS: (Feature.PROCESS_PRIVILEGE,),
    Statement.ROW_LOCKS: (Feature.PROCESS_PRIVILEGE,),
    Statement.METADATA_LOCKS: (Feature.METADATA_LOCKS,),
    Statement.INNODB_STATUS: (Feature.PROCESS_PRIVILEGE,),
    Statement.DIGESTS: (Feature.STATEMENT_DIGESTS,),
    Statement.RECENT_DIGESTS: (Feature.STATEMENT_DIGESTS,),
    Statement.CLIENT_VERSIONS: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
    Statement.REPLICA_STATUS: (Feature.REPLICATION_PRIVILEGE,),
    Statement.INNODB_COUNTERS: (Feature.PROCESS_PRIVILEGE,),
    Statement.ENGINE_COUNTERS: (Feature.INSTRUMENTATION,),
    Statement.APPLIERS: (Feature.PROCESS_PRIVILEGE,),
    Statement.ACCOUNT_WORK: (Feature.INSTRUMENTATION,),
    Statement.SESSION_WORK: (Feature.INSTRUMENTATION,),
    Statement.FAILED_STATEMENTS: (Feature.STATEMENT_DIGESTS, Feature.SESSION_STATEMENTS),
    Statement.APPLIER_LOCKS: (Feature.METADATA_LOCKS,),
    Statement.INSTRUMENTATION: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
    Statement.DIGEST_TABLE: (Feature.STATEMENT_DIGESTS,),
    **dict.fromkeys((Statement.INNODB_MONITORS, Statement.TABLE_MODIFICATIONS), (Feature.PROCESS_PRIVILEGE,)),
    Statement.INDEX_PARTS: (Feature.TABLES_PRIVILEGE,),
    Statement.IDLE_INDEXES: (Feature.PERFORMANCE_SCHEMA, Feature.PERFORMANCE_SCHEMA_PRIVILEGE),
    **dict.fromkeys(
        (Statement.AUTO_INCREMENTS, Statement.TABLE_LIMITS, Statement.KEYLESS_TABLES), (Feature.TABLES_PRIVILEGE,)
    ),
}
"""What each statement needs; a dialect may add to it."""

ROW_CAPS: dict[Statement, int] = {
    **dict.fromkeys(
        (Statement.PROCESSES, Statement.PROGRAMS, Statement.SESSION_STATEMENTS, Statement.TRANSACTIONS), 20_000
    ),
    # Pairs grow with the square of the sessions that wait for one row.
    **dict.fromkeys((Statement.ROW_LOCK_WAITS, Statement.ROW_LOCKS, Statement.METADATA_LOCKS), 20_000),
    Statement.DIGESTS: 20_000,
    Statement.RECENT_DIGESTS: 20_000,
    **dict.fromkeys((Statement.ACCOUNT_WORK, Statement.SESSION_WORK, Statement.FAILED_STATEMENTS), 20_000),
    **dict.fromkeys((Statement.CLIENT_VERSIONS, Statement.COLUMNS, Statement.INDEXES), 50_000),
    **dict.fromkeys((Statement.INDEX_PARTS, Statement.IDLE_INDEXES, Statement.INDEX_SIZES), 50_000),
    **dict.fromkeys((Statement.TABLE_STATISTICS, Statement.TABLE_MODIFICATIONS), 50_000),
    **dict.fromkeys((Statement.AUTO_INCREMENTS, Statement.KEYLESS_TABLES), 20_000),
    **dict.fromkeys(
        (Statement.TABLE_LIMITS, Statement.FAILED_LOGINS, Statement.APPLIER_LOCKS, Statement.GRANTS), 5_000
    ),
}
"""How many rows are read at most; more are a limit of the answer."""
