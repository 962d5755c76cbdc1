"""What clients feel when a variable was set too tight: which counters then grow, and from what rate on it matters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Symptom:
    """The metric, the status counters that it sums up, and the rate a second from which it matters.

    Without counters it is the rate of statements that fail, whatever their error.
    """

    metric: str
    counters: tuple[str, ...]
    matters: float
    usual: float = 0.0
    """What servers usually start with, where that says that a far smaller value is tight; 0 where it does not."""
    limits_nothing: str = ""
    """The value that sets no limit, where servers start with that."""
    floor: float = 0.0
    """Of these: a limit below one second, in the variable's own unit, which nobody sets for all statements."""


_ABORTED = ("aborted_clients_per_second", ("Aborted_clients",), 0.2)
_TOO_LONG = (
    "statements_cut_off_per_second",
    ("Max_statement_time_exceeded", "Max_execution_time_exceeded"),
    0.2,
)
_SPILLED = ("temp_disk_tables_per_second", ("Created_tmp_disk_tables",), 5.0)
_REFUSED = ("refused_connections_per_second", ("Connection_errors_max_connections",), 0.2)
_FAILED = ("failed_statements_per_second", (), 0.5)
_MEBI = 1024.0 * 1024.0

SYMPTOMS: dict[str, Symptom] = {
    "wait_timeout": Symptom(*_ABORTED, usual=28_800.0),
    "interactive_timeout": Symptom(*_ABORTED, usual=28_800.0),
    "net_read_timeout": Symptom(*_ABORTED, usual=30.0),
    "net_write_timeout": Symptom(*_ABORTED, usual=60.0),
    "max_allowed_packet": Symptom(*_ABORTED, usual=16.0 * _MEBI),
    "max_statement_time": Symptom(*_TOO_LONG, limits_nothing="0", floor=1.0),
    "max_execution_time": Symptom(*_TOO_LONG, limits_nothing="0", floor=1_000.0),
    "tmp_table_size": Symptom(*_SPILLED, usual=16.0 * _MEBI),
    "max_heap_table_size": Symptom(*_SPILLED, usual=16.0 * _MEBI),
    "max_connections": Symptom(*_REFUSED, usual=151.0),
    "sort_buffer_size": Symptom("sort_merge_passes_per_second", ("Sort_merge_passes",), 5.0, usual=256.0 * 1024.0),
    "table_open_cache": Symptom("opened_tables_per_second", ("Opened_tables",), 10.0, usual=2_000.0),
    "thread_cache_size": Symptom("threads_created_per_second", ("Threads_created",), 5.0, usual=9.0),
    "binlog_cache_size": Symptom(
        "binlog_cache_disk_uses_per_second", ("Binlog_cache_disk_use",), 5.0, usual=32.0 * 1024.0
    ),
    "innodb_log_buffer_size": Symptom("log_waits_per_second", ("Innodb_log_waits",), 1.0, usual=16.0 * _MEBI),
    "innodb_buffer_pool_size": Symptom("buffer_pool_reads_per_second", ("Innodb_buffer_pool_reads",), 100.0),
    "sql_mode": Symptom(*_FAILED),
    "sql_safe_updates": Symptom(*_FAILED),
    "max_join_size": Symptom(*_FAILED),
    "max_prepared_stmt_count": Symptom(*_FAILED),
    "innodb_lock_wait_timeout": Symptom(*_FAILED),
    "lock_wait_timeout": Symptom(*_FAILED),
    "require_secure_transport": Symptom("failed_connects_per_second", ("Aborted_connects",), 0.2),
}
"""By variable."""
COUNTERS = frozenset(counter for symptom in SYMPTOMS.values() for counter in symptom.counters)
"""All the counters."""
