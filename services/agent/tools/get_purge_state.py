"""The tool `get_purge_state`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.innodb_pb2 import GetPurgeStateRequest, GetPurgeStateResponse


async def get_purge_state(reach: Reach, name: str) -> GetPurgeStateResponse:
    """Undo that waits to be purged, and the oldest transaction that keeps it, idle ones included.

    Use it when the history list or the undo grows. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetPurgeState, GetPurgeStateRequest(name=name))
