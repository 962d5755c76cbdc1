"""The tool `get_overview`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import GetOverviewRequest, GetOverviewResponse


async def get_overview(reach: Reach, name: str) -> GetOverviewResponse:
    """Engine, version, role, and the load of one instance in a few numbers; also what it cannot show.

    Use it first, to know what you look at. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetOverview, GetOverviewRequest(name=name))
