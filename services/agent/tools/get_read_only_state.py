"""The tool `get_read_only_state`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.settings_pb2 import GetReadOnlyStateRequest, GetReadOnlyStateResponse


async def get_read_only_state(reach: Reach, name: str) -> GetReadOnlyStateResponse:
    """Whether the server refuses writes, by which variable, and how many writes clients tried in vain.

    Use it when writes fail, or a switch-over went wrong. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetReadOnlyState, GetReadOnlyStateRequest(name=name))
