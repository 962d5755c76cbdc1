"""The tool `list_variable_changes`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.settings_pb2 import ListVariableChangesRequest, ListVariableChangesResponse


async def list_variable_changes(reach: Reach, name: str) -> ListVariableChangesResponse:
    """Variables that were changed while the server runs: from what, to what, when, and what clients feel of it.

    Use it for "what changed". Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.ListVariableChanges, ListVariableChangesRequest(name=name))
