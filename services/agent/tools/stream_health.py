"""The tool `stream_health`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import StreamHealthRequest, StreamHealthResponse


async def stream_health(reach: Reach, name: str, service: str = "") -> list[StreamHealthResponse]:
    """The health of many instances at once, as get_health shows it for one; regions that cannot answer say so.

    Use it for a region, or for a service across regions. A few cheap statements an instance.

    name: The instances: regions/REGION/instances/- for a region, regions/-/instances/- for all.
    service: Only instances of this service; empty for any.
    """
    return await reach.collect(
        reach.diagnostics.StreamHealth, StreamHealthRequest(name=name, labels={"service": service} if service else {})
    )
