"""The tool `list_running_statements`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.activity_pb2 import ListRunningStatementsRequest, ListRunningStatementsResponse


async def list_running_statements(reach: Reach, name: str) -> ListRunningStatementsResponse:
    """The statements that run at this moment: digest, age, state, rows read so far where known, and who runs them.

    Use it when something takes long now, or many sessions are at work. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.ListRunningStatements, ListRunningStatementsRequest(name=name))
