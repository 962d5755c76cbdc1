"""The tool `list_auto_increments`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.capacity_pb2 import ListAutoIncrementsRequest, ListAutoIncrementsResponse


async def list_auto_increments(reach: Reach, name: str) -> ListAutoIncrementsResponse:
    """Auto-increment columns against the largest number of their type, the fullest first.

    Use it when inserts fail, or for room that is left. Moderate: read seldom.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.ListAutoIncrements, ListAutoIncrementsRequest(name=name))
