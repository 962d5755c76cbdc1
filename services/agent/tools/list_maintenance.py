"""The tool `list_maintenance`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.maintenance_pb2 import ListMaintenanceRequest, ListMaintenanceResponse


async def list_maintenance(reach: Reach, name: str) -> ListMaintenanceResponse:
    """Changes and rebuilds of tables that are under way: who does them, for how long, and what others cost since.

    Use it when sessions wait for a table, or all became slower at once. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.ListMaintenance, ListMaintenanceRequest(name=name))
