"""The tool `list_instances`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.fleet.v1.fleet_pb2 import StreamInstancesRequest, StreamInstancesResponse


async def list_instances(reach: Reach, name: str, service: str = "") -> list[StreamInstancesResponse]:
    """The instances that the caller may see: owner team, labels, engine, version, role, whether they answer.

    Use it to find an instance, who owns it, which versions run, or what is down. Cheap.

    name: regions/REGION for one region, regions/- for all.
    service: Only instances of this service; empty for any.
    """
    answers = await reach.collect(reach.fleet.StreamInstances, StreamInstancesRequest(name=name))
    return [
        answer
        for answer in answers
        if not service or not answer.HasField("instance") or answer.instance.labels.get("service") == service
    ]
