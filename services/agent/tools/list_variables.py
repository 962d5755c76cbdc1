"""The tool `list_variables`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import ListVariablesRequest, ListVariablesResponse


async def list_variables(reach: Reach, name: str, prefix: str) -> ListVariablesResponse:
    """Global variables of one instance whose names start with a prefix.

    Use it to see how the server is configured. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    prefix: The start of the names, for example innodb_buffer.
    """
    return await reach.call(reach.diagnostics.ListVariables, ListVariablesRequest(name=name, prefix=prefix))
