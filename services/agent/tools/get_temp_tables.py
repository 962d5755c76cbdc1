"""The tool `get_temp_tables`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.activity_pb2 import GetTempTablesRequest, GetTempTablesResponse


async def get_temp_tables(reach: Reach, name: str) -> GetTempTablesResponse:
    """Internal temporary tables and how many went to disk, by statement, with the limits that hold for them.

    Use it when sorts and groupings are slow or the disk of temporary files fills up. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetTempTables, GetTempTablesRequest(name=name))
