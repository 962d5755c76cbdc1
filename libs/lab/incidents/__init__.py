"""Incidents that the lab can cause, each in a file of its own.

An id is that of the root cause in the catalogue. `healthy` and what begins with it are controls, in which nothing is
wrong; `two.*` are two independent faults at once; `herring.*` are a fault beside something that only looks like one.

An incident's `inject` brings it about on a target and reports what it did; whether a report about it is right is
judged elsewhere (`libs.lab.truth`), from what the server itself shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from libs.lab.errors import IncidentError
from libs.lab.incidents import (
    access_auth_failed,
    capacity_auto_increment,
    capacity_table_full,
    config_change,
    config_read_only,
    connections_exhausted,
    connections_leak,
    healthy,
    healthy_busy,
    healthy_cold_cache,
    healthy_idle,
    healthy_idle_pool,
    healthy_just_started,
    healthy_loud,
    healthy_nightly_batch,
    healthy_refused_duplicates,
    healthy_unseen_ddl,
    innodb_buffer_pool,
    innodb_flush_per_commit,
    innodb_purge_lag,
    innodb_redo_stall,
    lock_deadlock,
    lock_global_read,
    lock_hot_row,
    lock_metadata,
    lock_row_blocker,
    lock_unindexed_write,
    maintenance_ddl,
    query_heavy_scan,
    query_missing_index,
    query_plan_regression,
    query_temp_spill,
    replication_error,
    replication_lag,
    replication_stopped,
    traffic_n_plus_one,
    traffic_retry_storm,
    traffic_spike,
)
from libs.lab.injection import Injection, Target
from libs.lab.together import together


@dataclass(frozen=True, slots=True)
class Incident:
    """What can be injected: its id, what happens, and how to make it happen."""

    id: str
    title: str
    inject: Callable[[Target], Injection]
    needs_replica: bool = False
    """Whether it can be brought about on a replica only."""
    restarts: bool = False
    """Whether it restarts the server, which the lab may do with its own only."""


INCIDENTS: dict[str, Incident] = {
    incident.id: incident
    for incident in (
        Incident(
            "lock.row_blocker",
            "A batch job changes rows that everybody needs and then sits idle in its transaction",
            lock_row_blocker.inject,
        ),
        Incident(
            "lock.metadata",
            "A report forgets its transaction, a schema change waits for it, and everybody for the change",
            lock_metadata.inject,
        ),
        Incident(
            "lock.global_read", "A backup script takes the global read lock and keeps it", lock_global_read.inject
        ),
        Incident("lock.deadlock", "Clients change the same two rows in either order", lock_deadlock.inject),
        Incident("lock.hot_row", "Many clients change the same row, each for a moment", lock_hot_row.inject),
        Incident(
            "lock.unindexed_write",
            "An update finds its row without an index and locks the whole table",
            lock_unindexed_write.inject,
        ),
        Incident(
            "query.missing_index",
            "A new search looks rows of the largest table up by a column that has no index",
            query_missing_index.inject,
        ),
        Incident(
            "query.plan_regression",
            "Wrong statistics make a join read a whole table that it looked up by an index before",
            query_plan_regression.inject,
        ),
        Incident(
            "query.temp_spill",
            "A new ranking groups more than a temporary table may hold in memory",
            query_temp_spill.inject,
        ),
        Incident(
            "query.heavy_scan",
            "A dashboard counts the whole of the largest table all the time",
            query_heavy_scan.inject,
        ),
        Incident("traffic.spike", "A program suddenly calls many times as often", traffic_spike.inject),
        Incident(
            "traffic.n_plus_one",
            "A release loads a list, and then each of its entries with a statement of its own",
            traffic_n_plus_one.inject,
        ),
        Incident(
            "traffic.retry_storm",
            "A consumer reads a column that is gone, and tries each message again without a pause",
            traffic_retry_storm.inject,
        ),
        Incident(
            "connections.leak",
            "An exporter opens one connection after another and never gives one back",
            connections_leak.inject,
        ),
        Incident(
            "connections.exhausted",
            "A service was scaled out beyond what the server takes",
            connections_exhausted.inject,
        ),
        Incident(
            "innodb.purge_lag",
            "A forgotten session keeps an old read view open while others write",
            innodb_purge_lag.inject,
        ),
        Incident(
            "innodb.buffer_pool", "The buffer pool was made too small for what is read", innodb_buffer_pool.inject
        ),
        Incident(
            "innodb.flush_per_commit",
            "An import commits row by row, and the logs are flushed at each commit",
            innodb_flush_per_commit.inject,
        ),
        Incident(
            "innodb.redo_stall",
            "The redo log was made tiny, and an upload writes faster than it has room for",
            innodb_redo_stall.inject,
        ),
        Incident(
            "replication.stopped",
            "Somebody stopped the replica's applier and did not start it again",
            replication_stopped.inject,
            needs_replica=True,
        ),
        Incident(
            "replication.error",
            "A row written on the replica is in the way of its source's",
            replication_error.inject,
            needs_replica=True,
        ),
        Incident(
            "replication.lag",
            "A table without a primary key is changed whole, again and again",
            replication_lag.inject,
            needs_replica=True,
        ),
        Incident(
            "config.read_only", "The server refuses writes, as a failed switch-over leaves it", config_read_only.inject
        ),
        Incident("config.change", "The server now hangs up on idle clients within seconds", config_change.inject),
        Incident("capacity.table_full", "A table in memory has reached its limit", capacity_table_full.inject),
        Incident(
            "capacity.auto_increment",
            "A table has used up the numbers of its auto-increment column",
            capacity_auto_increment.inject,
        ),
        Incident(
            "maintenance.ddl",
            "A migration copies a table that everybody writes to, and all writes wait",
            maintenance_ddl.inject,
        ),
        Incident("access.auth_failed", "A program still uses a password that was changed", access_auth_failed.inject),
        Incident("healthy", "Nothing happens: the control", healthy.inject),
        Incident("healthy.idle", "Nothing is wrong: the clients have nothing to do", healthy_idle.inject),
        Incident("healthy.busy", "Nothing is wrong: twice as much to do as else", healthy_busy.inject),
        Incident(
            "healthy.just_started",
            "Nothing is wrong: the server was restarted",
            healthy_just_started.inject,
            restarts=True,
        ),
        Incident(
            "healthy.cold_cache",
            "Nothing is wrong: the server was restarted and its buffer pool is cold",
            healthy_cold_cache.inject,
            restarts=True,
        ),
        Incident(
            "healthy.nightly_batch",
            "Nothing is wrong: a batch goes through the largest table in small steps",
            healthy_nightly_batch.inject,
        ),
        Incident(
            "healthy.idle_pool",
            "Nothing is wrong: a pool holds many connections and uses each now and then",
            healthy_idle_pool.inject,
        ),
        Incident(
            "healthy.loud",
            "Nothing is wrong, however it looks: advisory locks, sleeps, scans of a tiny table",
            healthy_loud.inject,
        ),
        Incident(
            "healthy.refused_duplicates",
            "Nothing is wrong: consumers see by a duplicate key that a message was handled already",
            healthy_refused_duplicates.inject,
        ),
        Incident(
            "healthy.unseen_ddl",
            "Nothing is wrong: a table that nobody uses is rebuilt for a long time",
            healthy_unseen_ddl.inject,
        ),
        Incident(
            "two.blocker_and_leak",
            "A job holds rows that everybody needs, and an exporter leaks connections",
            together({"lock.row_blocker": lock_row_blocker.inject, "connections.leak": connections_leak.inject}),
        ),
        Incident(
            "two.scan_and_logins",
            "A search has no index, and a program's password is old",
            together(
                {"query.missing_index": query_missing_index.inject, "access.auth_failed": access_auth_failed.inject}
            ),
        ),
        Incident(
            "two.purge_and_counter",
            "An old read view is left open, and a table has no numbers left",
            together(
                {"innodb.purge_lag": innodb_purge_lag.inject, "capacity.auto_increment": capacity_auto_increment.inject}
            ),
        ),
        Incident(
            "herring.blocker_in_batch",
            "A job holds rows that everybody needs while the nightly batch runs",
            together(
                {"healthy.nightly_batch": healthy_nightly_batch.inject, "lock.row_blocker": lock_row_blocker.inject}
            ),
        ),
        Incident(
            "herring.metadata_in_noise",
            "A forgotten transaction stops a schema change amid harmless noise",
            together({"healthy.loud": healthy_loud.inject, "lock.metadata": lock_metadata.inject}),
        ),
        Incident(
            "herring.index_behind_pool",
            "A search has no index while a pool holds many idle connections",
            together(
                {"healthy.idle_pool": healthy_idle_pool.inject, "query.missing_index": query_missing_index.inject}
            ),
        ),
    )
}
"""Every incident by its id."""


def incident(incident_id: str) -> Incident:
    """The incident with this id. Raises IncidentError that lists the known ones."""
    try:
        return INCIDENTS[incident_id]
    except KeyError:
        raise IncidentError(f"There is no incident {incident_id!r}. Choose one of: {', '.join(INCIDENTS)}.") from None
