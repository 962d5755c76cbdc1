"""What mends a blind spot: the statement to run, whether it lasts, and the lines of configuration that make it last."""

from __future__ import annotations

from collections.abc import Mapping

from services.shard.mysql.features import Capabilities
from services.shard.sight import costs
from services.shard.sight.costs import Place
from storex.diagnostics.v1 import visibility_pb2

_ENABLE_ACTORS = (
    "UPDATE performance_schema.setup_actors SET enabled = 'YES', history = 'YES' WHERE host = '%' AND user = '%'"
)
_ADD_ACTORS = (
    "INSERT INTO performance_schema.setup_actors (host, user, role, enabled, history)"
    " VALUES ('%', '%', '%', 'YES', 'YES')"
)
_RECONNECT = "Sessions that are already open are seen only once they have connected again."


def remedies_for(
    place: Place, capabilities: Capabilities, settings: Mapping[str, str], *, has_actors: bool = False
) -> list[visibility_pb2.Remedy]:
    """The ways to mend it on this server, whose global variables are `settings`.

    `has_actors` tells whether there is a row for everybody among those whose sessions may be instrumented.
    """
    if place in _GRANTS:
        return [visibility_pb2.Remedy(statement=f"GRANT {grant} TO <account>") for grant in _GRANTS[place]]
    if place == costs.REPLICATION:
        return [visibility_pb2.Remedy(statement=f"GRANT {_replication(capabilities)} ON *.* TO <account>")]
    if place == costs.DIGEST_TABLE_FULL:
        return _digest_table(settings)
    if place == costs.ACTORS:
        return [visibility_pb2.Remedy(statement=_ENABLE_ACTORS if has_actors else _ADD_ACTORS, note=_RECONNECT)]
    found = _FIXED.get(place)
    return [found] if found is not None else []


def _replication(capabilities: Capabilities) -> str:
    return "BINLOG MONITOR, REPLICA MONITOR" if capabilities.engine == "MariaDB" else "REPLICATION CLIENT"


def _digest_table(settings: Mapping[str, str]) -> list[visibility_pb2.Remedy]:
    size = settings.get("performance_schema_digests_size", "")
    larger = max(10_000, 2 * int(size)) if size.isdigit() else 10_000
    return [
        visibility_pb2.Remedy(
            statement="TRUNCATE TABLE performance_schema.events_statements_summary_by_digest",
            note="It forgets all digests, and fills again where statements differ in more than their literals.",
        ),
        visibility_pb2.Remedy(configuration=[f"performance_schema_digests_size={larger}"], needs_restart=True),
    ]


def _consumer(*names: str) -> visibility_pb2.Remedy:
    listed = ", ".join(f"'{name}'" for name in names)
    return visibility_pb2.Remedy(
        statement="UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name"  # noqa: S608 - ours
        f" IN ({listed})",
        configuration=[f"performance_schema_consumer_{name}=ON" for name in names],
    )


def _instrument(pattern: str, *names: str, note: str = "") -> visibility_pb2.Remedy:
    return visibility_pb2.Remedy(
        statement="UPDATE performance_schema.setup_instruments SET enabled = 'YES', timed = 'YES'"  # noqa: S608 - ours
        f" WHERE name {pattern}",
        configuration=[f"performance_schema_instrument='{name}=ON'" for name in names],
        note=note,
    )


_GRANTS: dict[Place, tuple[str, ...]] = {
    costs.PROCESS: ("PROCESS ON *.*",),
    costs.PERFORMANCE_SCHEMA_PRIVILEGE: ("SELECT ON performance_schema.*",),
    costs.TABLES: ("REFERENCES ON *.*",),
    costs.TABLE_STATISTICS: ("SELECT ON mysql.innodb_table_stats",),
}

_LOG_FILES = ("wait/io/file/innodb/innodb_log_file", "wait/io/file/sql/binlog")

_FIXED: dict[Place, visibility_pb2.Remedy] = {
    costs.PERFORMANCE_SCHEMA: visibility_pb2.Remedy(
        configuration=[
            "performance_schema=ON",
            "performance_schema_consumer_events_statements_current=ON",
            "performance_schema_instrument='wait/lock/metadata/sql/mdl=ON'",
        ],
        needs_restart=True,
        note="It takes memory for each connection and table, mostly below 500 MB, and some percent of the work.",
    ),
    costs.INSTRUMENTATION: _consumer("global_instrumentation", "thread_instrumentation"),
    costs.DIGESTS: _consumer("statements_digest"),
    costs.DIGEST_TEXT: visibility_pb2.Remedy(configuration=["max_digest_length=1024"], needs_restart=True),
    costs.STATEMENT_INSTRUMENTS: _instrument("LIKE 'statement/%'", "statement/%"),
    costs.SESSION_STATEMENTS: _consumer("events_statements_current"),
    costs.METADATA_LOCKS: _instrument(
        "= 'wait/lock/metadata/sql/mdl'", "wait/lock/metadata/sql/mdl", note="Locks taken before stay unseen."
    ),
    costs.METADATA_LOCKS_LOST: visibility_pb2.Remedy(
        configuration=["performance_schema_max_metadata_locks=-1"], needs_restart=True
    ),
    costs.THREADS_LOST: visibility_pb2.Remedy(
        configuration=["performance_schema_max_thread_instances=-1"], needs_restart=True
    ),
    costs.PROGRAMS: visibility_pb2.Remedy(
        configuration=["performance_schema_session_connect_attrs_size=512"], needs_restart=True
    ),
    costs.LOG_INSTRUMENTS: _instrument("IN (" + ", ".join(f"'{name}'" for name in _LOG_FILES) + ")", *_LOG_FILES),
    costs.ERRORS: visibility_pb2.Remedy(
        statement="UPDATE performance_schema.setup_instruments SET enabled = 'YES' WHERE name = 'error'",
        configuration=["performance_schema_instrument='error=ON'"],
    ),
    costs.USERSTAT: visibility_pb2.Remedy(
        statement="SET GLOBAL userstat = ON",
        configuration=["userstat=ON"],
        note="It costs about as much as a few status counters for each statement.",
    ),
    costs.INNODB_MONITORS: visibility_pb2.Remedy(
        # One counter at a time: only the configuration takes a list.
        statement="SET GLOBAL innodb_monitor_enable = 'trx_rseg_history_len',"
        " GLOBAL innodb_monitor_enable = 'lock_deadlocks'",
        configuration=["innodb_monitor_enable=trx_rseg_history_len,lock_deadlocks"],
    ),
}
