"""The tool `stream_health`."""

from __future__ import annotations

from services.agent.reach import Reach
from services.agent.timestamps import asked_past
from storex.diagnostics.v1.diagnostics_pb2 import StreamHealthRequest, StreamHealthResponse


async def stream_health(
    reach: Reach, name: str, service: str = "", until: str = "", minutes: int = 10
) -> list[StreamHealthResponse]:
    """The health of many instances at once, as get_health shows it for one; regions that cannot answer say so.

    Use it for a region, for a service across regions, or to see where else something happens. A few cheap statements
    an instance; with `until` it reads only what was recorded.

    name: The instances: regions/REGION/instances/- for a region, regions/-/instances/- for all.
    service: Only instances of this service; empty for any.
    until: The end of a time in the past, as 2026-11-22T02:30:00Z; empty for now.
    minutes: How far back from `until` it looks; of no meaning without it.
    """
    labels = {"service": service} if service else {}
    request = StreamHealthRequest(
        name=name, labels=labels, fresh=True, without=reach.without_rules, **asked_past(minutes, until)
    )
    return await reach.collect(reach.diagnostics.StreamHealth, request)
