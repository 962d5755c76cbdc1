"""The tool `list_instances`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.fleet.v1.fleet_pb2 import StreamInstancesRequest, StreamInstancesResponse


async def list_instances(reach: Reach, name: str) -> list[StreamInstancesResponse]:
    """The instances that the caller may see: owner team, labels, engine, version, role, whether they answer.

    Use it to find an instance, or who owns it. Cheap.

    name: regions/REGION for one region, regions/- for all.
    """
    return await reach.collect(reach.fleet.StreamInstances, StreamInstancesRequest(name=name))
