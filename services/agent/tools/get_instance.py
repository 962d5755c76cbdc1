"""The tool `get_instance`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.fleet.v1.fleet_pb2 import GetInstanceRequest, GetInstanceResponse


async def get_instance(reach: Reach, name: str) -> GetInstanceResponse:
    """One instance as the inventory has it: the team that owns it, its service and other labels, engine, version, role.

    Use it to say who owns an instance and whom to call. Cheap: no statement is sent.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.fleet.GetInstance, GetInstanceRequest(name=name))
