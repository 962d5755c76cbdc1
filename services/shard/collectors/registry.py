"""The collectors, by the name that findings and the agent's tools cite them by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from services.shard.collectors.auto_increments import list_auto_increments
from services.shard.collectors.buffer_pool import get_buffer_pool
from services.shard.collectors.commit_state import get_commit_state
from services.shard.collectors.connections import get_connections
from services.shard.collectors.failed_logins import get_failed_logins
from services.shard.collectors.failing_statements import list_failing_statements
from services.shard.collectors.index_facts import list_index_facts
from services.shard.collectors.innodb_status import get_innodb_status
from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.maintenance import list_maintenance
from services.shard.collectors.overview import get_overview
from services.shard.collectors.plan import explain_statement
from services.shard.collectors.processes import list_processes
from services.shard.collectors.purge_state import get_purge_state
from services.shard.collectors.read_only_state import get_read_only_state
from services.shard.collectors.redo_state import get_redo_state
from services.shard.collectors.replication import get_replication
from services.shard.collectors.running_statements import list_running_statements
from services.shard.collectors.table_limits import list_table_limits
from services.shard.collectors.temp_tables import get_temp_tables
from services.shard.collectors.top_queries import list_top_queries
from services.shard.collectors.traffic import get_traffic
from services.shard.collectors.transactions import list_transactions
from services.shard.collectors.variable_changes import list_variable_changes
from services.shard.collectors.variables import list_variables
from services.shard.collectors.visibility import get_visibility
from services.shard.view import InstanceView

Collector = Callable[[InstanceView, Any], Awaitable[Any]]
"""Reads an instance for a request and returns the response of the RPC of the same name."""

COLLECTORS: dict[str, Collector] = {
    "get_overview": get_overview,
    "list_processes": list_processes,
    "get_lock_waits": get_lock_waits,
    "list_transactions": list_transactions,
    "get_innodb_status": get_innodb_status,
    "list_top_queries": list_top_queries,
    "get_connections": get_connections,
    "list_variables": list_variables,
    "get_read_only_state": get_read_only_state,
    "list_variable_changes": list_variable_changes,
    "get_purge_state": get_purge_state,
    "get_commit_state": get_commit_state,
    "get_buffer_pool": get_buffer_pool,
    "get_redo_state": get_redo_state,
    "list_auto_increments": list_auto_increments,
    "list_table_limits": list_table_limits,
    "get_failed_logins": get_failed_logins,
    "get_replication": get_replication,
    "get_traffic": get_traffic,
    "list_failing_statements": list_failing_statements,
    "list_maintenance": list_maintenance,
    "list_running_statements": list_running_statements,
    "get_temp_tables": get_temp_tables,
    "get_visibility": get_visibility,
    "explain_statement": explain_statement,
    "list_index_facts": list_index_facts,
}
