"""The metrics that are kept of each instance: rates of counters, and gauges, from SHOW GLOBAL STATUS and the sessions.

Counters are kept as rates a second, so that a restart of the server or of a shard is a gap and never a peak.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One series of an instance."""

    name: str
    unit: str
    text: str
    counter: str = ""
    """The status counter that it is the rate of."""
    gauge: str = ""
    """The status variable that it is the value of."""


def _rate(name: str, counter: str, text: str, unit: str = "1/s") -> Metric:
    return Metric(f"{name}_per_second", unit, text, counter=counter)


def _gauge(name: str, variable: str, text: str, unit: str = "1") -> Metric:
    return Metric(name, unit, text, gauge=variable)


BUFFER_POOL_HIT_RATIO = "buffer_pool_hit_ratio"

_METRICS = (
    _rate("queries", "Questions", "Statements that clients sent."),
    _rate("selects", "Com_select", "SELECT statements."),
    _rate("inserts", "Com_insert", "INSERT statements."),
    _rate("updates", "Com_update", "UPDATE statements."),
    _rate("deletes", "Com_delete", "DELETE statements."),
    _rate("commits", "Com_commit", "COMMIT statements."),
    _rate("rollbacks", "Com_rollback", "ROLLBACK statements."),
    _rate("slow_queries", "Slow_queries", "Statements slower than long_query_time."),
    _rate("connections", "Connections", "Attempts to connect."),
    _rate("aborted_clients", "Aborted_clients", "Connections that ended without a goodbye."),
    _rate("aborted_connects", "Aborted_connects", "Attempts to connect that failed."),
    _rate("refused_connections", "Connection_errors_max_connections", "Attempts refused at the connection limit."),
    _rate("access_denied", "Access_denied_errors", "Attempts refused for lack of rights; MariaDB only."),
    _rate("bytes_received", "Bytes_received", "Bytes from clients.", "B/s"),
    _rate("bytes_sent", "Bytes_sent", "Bytes to clients.", "B/s"),
    _rate("full_scans", "Select_scan", "SELECT statements that read their first table whole."),
    _rate("full_joins", "Select_full_join", "Joins without an index."),
    _rate("sort_merge_passes", "Sort_merge_passes", "Passes of sorts that did not fit their memory."),
    _rate("temp_tables", "Created_tmp_tables", "Internal temporary tables."),
    _rate("temp_disk_tables", "Created_tmp_disk_tables", "Internal temporary tables on disk."),
    _rate("rows_scanned", "Handler_read_rnd_next", "Rows read one after the other."),
    _rate("rows_read_by_index", "Handler_read_key", "Rows looked up by an index."),
    _rate("buffer_pool_requests", "Innodb_buffer_pool_read_requests", "Pages asked of the buffer pool."),
    _rate("buffer_pool_reads", "Innodb_buffer_pool_reads", "Pages that had to be read from disk."),
    _rate("buffer_pool_waits", "Innodb_buffer_pool_wait_free", "Waits for a free page."),
    _rate("pages_flushed", "Innodb_buffer_pool_pages_flushed", "Pages written to disk."),
    _rate("fsyncs", "Innodb_data_fsyncs", "Flushes of InnoDB to the disk."),
    _rate("log_bytes_written", "Innodb_os_log_written", "Bytes written to the redo log.", "B/s"),
    _rate("log_waits", "Innodb_log_waits", "Waits for room in the log buffer."),
    _rate("log_write_requests", "Innodb_log_write_requests", "Requests to write to the redo log."),
    _rate("row_lock_waits", "Innodb_row_lock_waits", "Row-lock waits that began."),
    _rate("row_lock_time", "Innodb_row_lock_time", "Time spent waiting for row locks, all sessions together.", "ms/s"),
    _rate("deadlocks", "Innodb_deadlocks", "Deadlocks."),
    _rate("opened_tables", "Opened_tables", "Tables that had to be opened."),
    _gauge("threads_connected", "Threads_connected", "Sessions."),
    _gauge("threads_running", "Threads_running", "Sessions that run a statement, the sampler's own included."),
    _gauge("row_lock_current_waits", "Innodb_row_lock_current_waits", "Row-lock waits at this moment."),
    _gauge("history_list_length", "Innodb_history_list_length", "Undo not yet purged."),
    _gauge("buffer_pool_pages_dirty", "Innodb_buffer_pool_pages_dirty", "Pages changed and not yet written."),
    _gauge("buffer_pool_pages_free", "Innodb_buffer_pool_pages_free", "Pages that hold nothing."),
    _gauge("checkpoint_age", "Innodb_checkpoint_age", "Redo log in use; MariaDB only.", "B"),
    _gauge("redo_log_in_use", "Innodb_redo_log_logical_size", "Redo log in use; MySQL only.", "B"),
    _gauge("open_tables", "Open_tables", "Tables in the cache of open ones."),
    _gauge("prepared_statements", "Prepared_stmt_count", "Prepared statements that clients keep."),
    Metric(BUFFER_POOL_HIT_RATIO, "ratio", "Share of page requests served from memory, 0 to 1."),
    Metric("sessions_idle", "1", "Client sessions that run nothing."),
    Metric("sessions_waiting_for_locks", "1", "Sessions whose state says that they wait for a lock."),
    Metric("longest_statement", "s", "The longest that a client's statement has been running."),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
"""Every metric of an instance by its name."""

COUNTERS = frozenset(metric.counter for metric in _METRICS if metric.counter)
"""The status counters that rates are made of."""
_OF_DETECTORS = frozenset(
    {
        "Binlog_cache_disk_use",
        "Binlog_commits",
        "Binlog_group_commits",
        "Com_delete_multi",
        "Connection_errors_accept",
        "Connection_errors_internal",
        "Connection_errors_peer_address",
        "Connection_errors_select",
        "Connection_errors_tcpwrap",
        "Com_insert_select",
        "Com_replace",
        "Com_stmt_execute",
        "Com_replace_select",
        "Com_update_multi",
        "Handler_commit",
        "Handler_delete",
        "Handler_update",
        "Handler_write",
        "Innodb_buffer_pool_read_ahead",
        "Innodb_os_log_fsyncs",
        "Innodb_rows_deleted",
        "Innodb_rows_inserted",
        "Innodb_rows_updated",
        "Max_execution_time_exceeded",
        "Max_statement_time_exceeded",
        "Table_open_cache_overflows",
        "Threads_created",
    }
)
"""Counters that no metric is kept of; collectors look at them over the last minutes only."""
STATUS_VARIABLES = COUNTERS | _OF_DETECTORS | {metric.gauge for metric in _METRICS if metric.gauge} | {"Uptime"}
"""Every status variable that is sampled."""
