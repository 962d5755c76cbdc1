"""Every tool. A new one is a file with one function, and its line here."""

from __future__ import annotations

from services.agent.tools.explain_statement import explain_statement
from services.agent.tools.get_buffer_pool import get_buffer_pool
from services.agent.tools.get_commit_state import get_commit_state
from services.agent.tools.get_connections import get_connections
from services.agent.tools.get_failed_logins import get_failed_logins
from services.agent.tools.get_health import get_health
from services.agent.tools.get_innodb_status import get_innodb_status
from services.agent.tools.get_instance import get_instance
from services.agent.tools.get_lock_waits import get_lock_waits
from services.agent.tools.get_metric_history import get_metric_history
from services.agent.tools.get_normal import get_normal
from services.agent.tools.get_overview import get_overview
from services.agent.tools.get_purge_state import get_purge_state
from services.agent.tools.get_read_only_state import get_read_only_state
from services.agent.tools.get_redo_state import get_redo_state
from services.agent.tools.get_replication import get_replication
from services.agent.tools.get_temp_tables import get_temp_tables
from services.agent.tools.get_traffic import get_traffic
from services.agent.tools.get_visibility import get_visibility
from services.agent.tools.list_auto_increments import list_auto_increments
from services.agent.tools.list_changes import list_changes
from services.agent.tools.list_failing_statements import list_failing_statements
from services.agent.tools.list_index_facts import list_index_facts
from services.agent.tools.list_instances import list_instances
from services.agent.tools.list_maintenance import list_maintenance
from services.agent.tools.list_metrics import list_metrics
from services.agent.tools.list_past_sessions import list_past_sessions
from services.agent.tools.list_processes import list_processes
from services.agent.tools.list_running_statements import list_running_statements
from services.agent.tools.list_table_limits import list_table_limits
from services.agent.tools.list_top_queries import list_top_queries
from services.agent.tools.list_transactions import list_transactions
from services.agent.tools.list_variable_changes import list_variable_changes
from services.agent.tools.list_variables import list_variables
from services.agent.tools.stream_health import stream_health
from services.agent.tools.tool import Tool, ToolFunction, tool_from

_FUNCTIONS: tuple[ToolFunction, ...] = (
    get_overview,
    get_health,
    stream_health,
    get_lock_waits,
    list_transactions,
    list_processes,
    list_top_queries,
    get_connections,
    get_innodb_status,
    list_variables,
    get_metric_history,
    get_normal,
    list_changes,
    get_read_only_state,
    list_variable_changes,
    get_purge_state,
    get_commit_state,
    get_buffer_pool,
    get_redo_state,
    list_auto_increments,
    list_table_limits,
    get_failed_logins,
    get_replication,
    get_traffic,
    list_failing_statements,
    list_maintenance,
    list_running_statements,
    get_temp_tables,
    get_visibility,
    explain_statement,
    list_index_facts,
    list_instances,
    get_instance,
    list_metrics,
    list_past_sessions,
)

TOOLS: dict[str, Tool] = {tool.name: tool for tool in map(tool_from, _FUNCTIONS)}
"""Every tool by its name."""
