"""The tool `get_traffic`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.traffic_pb2 import GetTrafficRequest, GetTrafficResponse


async def get_traffic(reach: Reach, name: str) -> GetTrafficResponse:
    """Statements and connections a second by account and program, host and statement, now and before: who changed.

    Use it when a server has more to do than usual, to see whose traffic grew, from what to what, and since when. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetTraffic, GetTrafficRequest(name=name))
