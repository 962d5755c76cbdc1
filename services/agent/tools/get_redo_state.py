"""The tool `get_redo_state`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.innodb_pb2 import GetRedoStateRequest, GetRedoStateResponse


async def get_redo_state(reach: Reach, name: str) -> GetRedoStateResponse:
    """The redo log: its size, how much of it is in use, how fast it is filled, and how many sessions write.

    Use it when writes are slow and nobody waits for locks. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetRedoState, GetRedoStateRequest(name=name))
