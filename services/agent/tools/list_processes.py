"""The tool `list_processes`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import ListProcessesRequest, ListProcessesResponse


async def list_processes(
    reach: Reach, name: str, page_size: int = 50, include_idle: bool = False
) -> ListProcessesResponse:
    """The sessions of one instance, running ones first: who, from where, in which state, running what.

    Use it to see what the server is doing now. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    page_size: How many at most.
    include_idle: Whether idle sessions are wanted too.
    """
    return await reach.call(
        reach.diagnostics.ListProcesses, ListProcessesRequest(name=name, page_size=page_size, include_idle=include_idle)
    )
