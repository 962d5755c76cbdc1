"""The tool `list_table_limits`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.capacity_pb2 import ListTableLimitsRequest, ListTableLimitsResponse


async def list_table_limits(reach: Reach, name: str) -> ListTableLimitsResponse:
    """Tables with a limit, such as those in memory, the fullest first.

    Use it when inserts fail because a table is full. Moderate: read seldom.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.ListTableLimits, ListTableLimitsRequest(name=name))
