"""The detectors, each once."""

from __future__ import annotations

from services.shard.detectors import (
    config_change,
    config_read_only,
    connections_leak,
    lock_row_blocker,
    query_missing_index,
)
from services.shard.detectors.readings import Detector

DETECTORS: tuple[Detector, ...] = (
    Detector(lock_row_blocker.KIND, ("get_lock_waits",), lock_row_blocker.detect),
    Detector(query_missing_index.KIND, ("list_top_queries",), query_missing_index.detect),
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
)
