"""The tool `get_connections`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import GetConnectionsRequest, GetConnectionsResponse


async def get_connections(reach: Reach, name: str) -> GetConnectionsResponse:
    """Connections against their limit, by owner (user, host, program), with idle times and growth.

    Use it when clients are refused, or idle sessions pile up. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetConnections, GetConnectionsRequest(name=name))
