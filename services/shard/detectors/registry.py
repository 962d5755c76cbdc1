"""The detectors, each once."""

from __future__ import annotations

from collections.abc import Collection

from libs.core.catalogue import CATALOGUE
from libs.core.errors import Reason, StorexError
from services.shard.detectors import (
    access_auth_failed,
    capacity_auto_increment,
    capacity_table_full,
    config_change,
    config_read_only,
    connections_exhausted,
    connections_leak,
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
from services.shard.detectors.readings import Detection, Detector, Readings

DETECTORS: tuple[Detector, ...] = (
    Detector(lock_row_blocker.KIND, ("get_lock_waits",), lock_row_blocker.detect),
    Detector(lock_metadata.KIND, ("get_lock_waits",), lock_metadata.detect),
    Detector(lock_global_read.KIND, ("get_lock_waits",), lock_global_read.detect),
    Detector(lock_deadlock.KIND, ("get_innodb_status",), lock_deadlock.detect),
    Detector(lock_hot_row.KIND, ("get_lock_waits",), lock_hot_row.detect),
    Detector(lock_unindexed_write.KIND, ("get_lock_waits", "list_top_queries"), lock_unindexed_write.detect),
    Detector(query_missing_index.KIND, ("list_top_queries",), query_missing_index.detect),
    Detector(query_plan_regression.KIND, ("list_top_queries",), query_plan_regression.detect),
    Detector(query_temp_spill.KIND, ("list_top_queries",), query_temp_spill.detect),
    Detector(query_heavy_scan.KIND, ("list_top_queries",), query_heavy_scan.detect),
    Detector(traffic_n_plus_one.KIND, ("list_top_queries",), traffic_n_plus_one.detect),
    Detector(traffic_spike.KIND, ("get_traffic",), traffic_spike.detect),
    Detector(traffic_retry_storm.KIND, ("list_failing_statements",), traffic_retry_storm.detect),
    Detector(connections_exhausted.KIND, ("get_connections",), connections_exhausted.detect),
    Detector(connections_leak.KIND, ("get_connections",), connections_leak.detect),
    Detector(
        config_read_only.KIND,
        (
            "get_read_only_state",
            "list_variable_changes",
        ),
        config_read_only.detect,
    ),
    Detector(config_change.KIND, ("list_variable_changes",), config_change.detect),
    Detector(innodb_purge_lag.KIND, ("get_purge_state",), innodb_purge_lag.detect),
    Detector(
        innodb_flush_per_commit.KIND, ("get_commit_state", "list_variable_changes"), innodb_flush_per_commit.detect
    ),
    Detector(innodb_buffer_pool.KIND, ("get_buffer_pool", "list_variable_changes"), innodb_buffer_pool.detect),
    Detector(innodb_redo_stall.KIND, ("get_redo_state", "list_variable_changes"), innodb_redo_stall.detect),
    Detector(capacity_auto_increment.KIND, ("list_auto_increments",), capacity_auto_increment.detect),
    Detector(capacity_table_full.KIND, ("list_table_limits",), capacity_table_full.detect),
    Detector(maintenance_ddl.KIND, ("list_maintenance", "get_lock_waits", "get_replication"), maintenance_ddl.detect),
    Detector(access_auth_failed.KIND, ("get_failed_logins",), access_auth_failed.detect),
    Detector(replication_stopped.KIND, ("get_replication",), replication_stopped.detect),
    Detector(replication_error.KIND, ("get_replication",), replication_error.detect),
    Detector(replication_lag.KIND, ("get_replication", "get_lock_waits"), replication_lag.detect),
)


def detectors_without(kinds: Collection[str]) -> tuple[Detector, ...]:
    """All of them, those of `kinds` blind: their checks say that they did not look.

    An id of the catalogue that has no detector leaves nothing out. Raises StorexError REQUEST_INVALID for other words.
    """
    if not CATALOGUE.keys() >= set(kinds):
        problem = (
            "it holds an id that is not in the catalogue of root causes; GetHealth lists the checks that there are"
        )
        raise StorexError(Reason.REQUEST_INVALID, field="without", problem=problem)
    return tuple(Detector(one.kind, (), _left_out) if one.kind in kinds else one for one in DETECTORS)


def _left_out(_readings: Readings) -> Detection:
    return Detection(not_checked=True, reason="The request leaves this check out.")
