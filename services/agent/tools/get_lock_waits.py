"""The tool `get_lock_waits`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import GetLockWaitsRequest, GetLockWaitsResponse


async def get_lock_waits(reach: Reach, name: str) -> GetLockWaitsResponse:
    """Who waits for a lock, and which session at the root of the chain holds it, with its transaction.

    Use it when sessions pile up or wait. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetLockWaits, GetLockWaitsRequest(name=name))
