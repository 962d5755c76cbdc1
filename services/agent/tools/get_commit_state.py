"""The tool `get_commit_state`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.innodb_pb2 import GetCommitStateRequest, GetCommitStateResponse


async def get_commit_state(reach: Reach, name: str) -> GetCommitStateResponse:
    """Commits a second, the settings that flush the disk at each of them, and what that costs.

    Use it when writes are slow though they wait for no lock. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetCommitState, GetCommitStateRequest(name=name))
