"""The tool `get_replication`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.replication_pb2 import GetReplicationRequest, GetReplicationResponse


async def get_replication(reach: Reach, name: str) -> GetReplicationResponse:
    """Replication channels with their threads, errors and lag, and what the appliers are busy with.

    Use it when a replica is behind or stopped. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetReplication, GetReplicationRequest(name=name))
