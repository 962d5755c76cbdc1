"""The root-cause catalogue: one entry an id, with what it needs to be shown and what plays a part in it.

The ids are part of the contract: they may be added to, never renamed. `docs/reference/root-causes.md` is made from
this table. A root cause is the most specific id that no other finding explains; `precedence` breaks ties between ids
that rest on the same evidence (higher is more specific).
"""

from __future__ import annotations

from dataclasses import dataclass

HOLDER, VICTIM, CAUSE, AFFECTED = "holder", "victim", "cause", "affected"
ROLES = (HOLDER, VICTIM, CAUSE, AFFECTED)


@dataclass(frozen=True, slots=True)
class EntityRole:
    """A part in a cause: a role and an entity type; required ones must be named in a confirmed report."""

    role: str
    type: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class RequiredEvidence:
    """A value that a confirmed report must cite.

    `path` is a pattern over the tool's answer in which `[*]` stands for any position. Where `entity` is given, the
    value at the path must be the value of that entity in the report; where `value` is given, it must be that one.
    """

    tool: str
    path: str
    entity: EntityRole | None = None
    value: str = ""


@dataclass(frozen=True, slots=True)
class RootCause:
    """A catalogue entry."""

    id: str
    title: str
    precedence: int
    entities: tuple[EntityRole, ...]
    evidence: tuple[RequiredEvidence, ...] = ()

    @property
    def family(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]


_HOLDER_CONNECTION = EntityRole(HOLDER, "connection_id", required=True)
_VICTIM_CONNECTION = EntityRole(VICTIM, "connection_id", required=True)
_CHANGING_CONNECTION = EntityRole(CAUSE, "connection_id", required=True)
_ANY_VICTIM = EntityRole(VICTIM, "connection_id")
_HOLDER_OWNER = (EntityRole(HOLDER, "user"), EntityRole(HOLDER, "host"), EntityRole(HOLDER, "program"))
_STATEMENT = EntityRole(CAUSE, "statement_digest", required=True)
_TABLE = EntityRole(AFFECTED, "table")
_REQUIRED_TABLE = EntityRole(AFFECTED, "table", required=True)
_INDEX = EntityRole(AFFECTED, "index")
_SCHEMA = EntityRole(AFFECTED, "schema")
_HOLDER_USER = EntityRole(HOLDER, "user", required=True)
_SPIKE_USER = EntityRole(CAUSE, "user", required=True)
_CHANNEL = EntityRole(AFFECTED, "channel", required=True)
_ERROR_CODE = EntityRole(CAUSE, "error_code", required=True)
_VARIABLE = EntityRole(CAUSE, "variable")
_REQUIRED_VARIABLE = EntityRole(CAUSE, "variable", required=True)


def _of_statement(*fields: str) -> tuple[RequiredEvidence, ...]:
    """Evidence in the row of the statement that is the cause."""
    fields_of_row = (RequiredEvidence("list_top_queries", f"queries[*].{field}") for field in fields)
    return (RequiredEvidence("list_top_queries", "queries[*].statement.digest", _STATEMENT), *fields_of_row)


def _waiting_behind(kind: str) -> tuple[RequiredEvidence, ...]:
    """Evidence that a session waits for a lock of that kind, and who is at the root of it."""
    return (
        RequiredEvidence("get_lock_waits", "holders[*].session.connection_id", _HOLDER_CONNECTION),
        RequiredEvidence("get_lock_waits", "waiters[*].root_connection_id", _HOLDER_CONNECTION),
        RequiredEvidence("get_lock_waits", "waiters[*].session.connection_id", _ANY_VICTIM),
        RequiredEvidence("get_lock_waits", "waiters[*].kind", value=kind),
    )


_ENTRIES = (
    RootCause(
        "lock.row_blocker",
        "A transaction holds row locks that others wait for",
        50,
        (_HOLDER_CONNECTION, *_HOLDER_OWNER, _VICTIM_CONNECTION, _TABLE, _INDEX, EntityRole(CAUSE, "statement_digest")),
        (
            RequiredEvidence("get_lock_waits", "holders[*].session.connection_id", _HOLDER_CONNECTION),
            RequiredEvidence("get_lock_waits", "waiters[*].root_connection_id", _HOLDER_CONNECTION),
            RequiredEvidence("get_lock_waits", "waiters[*].session.connection_id", _VICTIM_CONNECTION),
        ),
    ),
    RootCause(
        "lock.metadata",
        "A metadata lock stops DDL, and DDL stops everybody",
        60,
        (_HOLDER_CONNECTION, *_HOLDER_OWNER, _ANY_VICTIM, _TABLE),
        _waiting_behind("LOCK_KIND_METADATA"),
    ),
    RootCause(
        "lock.global_read",
        "A global read lock or backup lock stops writes",
        70,
        (_HOLDER_CONNECTION, *_HOLDER_OWNER, _ANY_VICTIM),
        _waiting_behind("LOCK_KIND_GLOBAL"),
    ),
    RootCause(
        "lock.deadlock",
        "Transactions keep deadlocking",
        60,
        (EntityRole(CAUSE, "statement_digest"), _REQUIRED_TABLE, _INDEX),
        (
            RequiredEvidence("get_innodb_status", "last_deadlock.transactions[*].waiting_table", _REQUIRED_TABLE),
            RequiredEvidence("get_innodb_status", "deadlocks_in_window"),
        ),
    ),
    RootCause(
        "lock.hot_row",
        "Many sessions queue for the same row in turn",
        55,
        (_STATEMENT, _TABLE, _INDEX),
        (
            RequiredEvidence("get_lock_waits", "waiters[*].session.statement.digest", _STATEMENT),
            RequiredEvidence("get_lock_waits", "waiters[*].record"),
            RequiredEvidence("get_lock_waits", "row_lock_load"),
        ),
    ),
    RootCause(
        "lock.unindexed_write",
        "A write locks far more rows than it changes",
        65,
        (_STATEMENT, _TABLE, _SCHEMA, EntityRole(HOLDER, "connection_id"), *_HOLDER_OWNER),
        (
            *_of_statement("rows_examined"),
            RequiredEvidence("get_lock_waits", "holders[*].transaction.rows_locked"),
        ),
    ),
    RootCause(
        "query.missing_index",
        "A statement reads far more rows than it returns, without an index",
        40,
        (_STATEMENT, _TABLE, _SCHEMA),
        _of_statement("rows_examined", "unindexed_calls"),
    ),
    RootCause(
        "query.plan_regression",
        "A statement's plan became worse",
        50,
        (_STATEMENT, _TABLE, _INDEX, _SCHEMA),
        _of_statement("work_change.before.calls", "work_change.after.rows_examined"),
    ),
    RootCause(
        "query.temp_spill",
        "A statement spills temporary tables to disk",
        45,
        (_STATEMENT, _VARIABLE, _TABLE, _SCHEMA),
        _of_statement("temp_disk_tables"),
    ),
    RootCause(
        "query.heavy_scan",
        "A statement reads a great deal, as it was written to",
        30,
        (_STATEMENT, _TABLE, _SCHEMA),
        _of_statement("rows_examined"),
    ),
    RootCause(
        "traffic.spike",
        "More calls than normal",
        40,
        (
            _SPIKE_USER,
            EntityRole(CAUSE, "host"),
            EntityRole(CAUSE, "program"),
            EntityRole(CAUSE, "statement_digest"),
            _TABLE,
        ),
        (
            RequiredEvidence("get_traffic", "clients[*].user", _SPIKE_USER),
            RequiredEvidence("get_traffic", "clients[*].statements.per_second"),
            RequiredEvidence("get_traffic", "clients[*].statements.increase_per_second"),
        ),
    ),
    RootCause(
        "traffic.n_plus_one",
        "One request became many small statements",
        50,
        (_STATEMENT, _TABLE, _SCHEMA),
        _of_statement("calls_per_second"),
    ),
    RootCause(
        "traffic.retry_storm",
        "Clients repeat what fails",
        55,
        (
            _STATEMENT,
            EntityRole(CAUSE, "error_code"),
            EntityRole(CAUSE, "user"),
            EntityRole(CAUSE, "host"),
            EntityRole(CAUSE, "program"),
            _TABLE,
            _SCHEMA,
        ),
        (
            RequiredEvidence("list_failing_statements", "statements[*].statement.digest", _STATEMENT),
            RequiredEvidence("list_failing_statements", "statements[*].failed"),
            RequiredEvidence("list_failing_statements", "statements[*].failed_per_second"),
        ),
    ),
    RootCause(
        "connections.leak",
        "A client opens connections and never gives them back",
        50,
        (EntityRole(HOLDER, "user", required=True), EntityRole(HOLDER, "host"), EntityRole(HOLDER, "program")),
        (
            RequiredEvidence("get_connections", "groups[*].user", EntityRole(HOLDER, "user", required=True)),
            RequiredEvidence("get_connections", "groups[*].idle"),
            RequiredEvidence("get_connections", "used_ratio"),
        ),
    ),
    RootCause(
        "connections.exhausted",
        "No connection is left",
        30,
        (_HOLDER_USER, EntityRole(HOLDER, "host"), EntityRole(HOLDER, "program"), _VARIABLE),
        (
            RequiredEvidence("get_connections", "groups[*].user", _HOLDER_USER),
            RequiredEvidence("get_connections", "used_ratio"),
            RequiredEvidence("get_connections", "max_connections"),
        ),
    ),
    RootCause(
        "innodb.purge_lag",
        "An old read view keeps undo from being purged",
        40,
        (_HOLDER_CONNECTION, *_HOLDER_OWNER),
        (
            RequiredEvidence("get_purge_state", "oldest_view.session.connection_id", _HOLDER_CONNECTION),
            RequiredEvidence("get_purge_state", "history_list_length"),
            RequiredEvidence("get_purge_state", "read_views"),
        ),
    ),
    RootCause(
        "innodb.buffer_pool",
        "The working set does not fit the buffer pool",
        30,
        (_REQUIRED_VARIABLE,),
        (
            RequiredEvidence("get_buffer_pool", "variable", _REQUIRED_VARIABLE),
            RequiredEvidence("get_buffer_pool", "reads_per_second"),
            RequiredEvidence("get_buffer_pool", "reads_since_full"),
        ),
    ),
    RootCause(
        "innodb.redo_stall",
        "Writes wait for the redo log",
        40,
        (_REQUIRED_VARIABLE,),
        (
            RequiredEvidence("get_redo_state", "variable", _REQUIRED_VARIABLE),
            RequiredEvidence("get_redo_state", "average_used_ratio"),
            RequiredEvidence("get_redo_state", "seconds_to_fill"),
        ),
    ),
    RootCause(
        "innodb.flush_per_commit",
        "Each commit waits for the disk",
        40,
        (_REQUIRED_VARIABLE,),
        (
            RequiredEvidence("get_commit_state", "variable", _REQUIRED_VARIABLE),
            RequiredEvidence("get_commit_state", "commits_per_second"),
        ),
    ),
    RootCause(
        "replication.stopped",
        "A replication thread was stopped",
        50,
        (_CHANNEL,),
        (
            RequiredEvidence("get_replication", "channels[*].channel", _CHANNEL),
            RequiredEvidence("get_replication", "channels[*].stopped_thread"),
        ),
    ),
    RootCause(
        "replication.error",
        "Replication stopped with an error",
        60,
        (_CHANNEL, _ERROR_CODE),
        (
            RequiredEvidence("get_replication", "channels[*].channel", _CHANNEL),
            RequiredEvidence("get_replication", "channels[*].error_code", _ERROR_CODE),
        ),
    ),
    RootCause(
        "replication.lag",
        "The replica applies more slowly than its source writes",
        40,
        (_CHANNEL, _TABLE, _ANY_VICTIM),
        (
            RequiredEvidence("get_replication", "channels[*].channel", _CHANNEL),
            RequiredEvidence("get_replication", "channels[*].lag_seconds"),
        ),
    ),
    RootCause(
        "config.read_only",
        "The server refuses writes",
        50,
        (_REQUIRED_VARIABLE,),
        (
            RequiredEvidence("get_read_only_state", "variable", _REQUIRED_VARIABLE),
            RequiredEvidence("get_read_only_state", "failed_writes"),
        ),
    ),
    RootCause(
        "config.change",
        "A variable was changed",
        10,
        (_REQUIRED_VARIABLE,),
        (
            RequiredEvidence("list_variable_changes", "changes[*].variable", _REQUIRED_VARIABLE),
            RequiredEvidence("list_variable_changes", "changes[*].symptom_now"),
        ),
    ),
    RootCause("capacity.disk_full", "The disk is full", 70, (EntityRole(AFFECTED, "instance"),)),
    RootCause(
        "capacity.table_full",
        "A table is full",
        65,
        (_REQUIRED_TABLE,),
        (
            RequiredEvidence("list_table_limits", "tables[*].table", _REQUIRED_TABLE),
            RequiredEvidence("list_table_limits", "tables[*].failed_inserts"),
        ),
    ),
    RootCause(
        "capacity.auto_increment",
        "An auto-increment column has run out",
        65,
        (_REQUIRED_TABLE,),
        (
            RequiredEvidence("list_auto_increments", "columns[*].table", _REQUIRED_TABLE),
            RequiredEvidence("list_auto_increments", "columns[*].used_ratio"),
        ),
    ),
    RootCause("maintenance.backup", "A backup burdens the server", 40, (EntityRole(CAUSE, "connection_id"),)),
    RootCause(
        "maintenance.ddl",
        "A schema change burdens the server",
        65,
        (
            _CHANGING_CONNECTION,
            EntityRole(CAUSE, "user"),
            EntityRole(CAUSE, "host"),
            EntityRole(CAUSE, "program"),
            _ANY_VICTIM,
            _TABLE,
        ),
        (
            RequiredEvidence("list_maintenance", "operations[*].session.connection_id", _CHANGING_CONNECTION),
            RequiredEvidence("list_maintenance", "operations[*].running_seconds"),
        ),
    ),
    RootCause(
        "access.auth_failed",
        "Logins fail",
        50,
        (EntityRole(CAUSE, "user"), EntityRole(CAUSE, "host")),
        (
            RequiredEvidence("get_failed_logins", "failed"),
            RequiredEvidence("get_failed_logins", "failed_per_second"),
        ),
    ),
)

CATALOGUE: dict[str, RootCause] = {entry.id: entry for entry in _ENTRIES}
"""Every root cause by its id."""
