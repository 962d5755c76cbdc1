"""The tool `list_changes`."""

from __future__ import annotations

from services.agent.reach import Reach
from services.agent.timestamps import asked_range
from storex.history.v1.history_pb2 import ListChangesRequest, ListChangesResponse


async def list_changes(reach: Reach, name: str, minutes: int = 1440, until: str = "") -> ListChangesResponse:
    """What changed on an instance, newest first: variables, tables, version, statements, clients, deployments.

    Use it when something became slow and was not before. Cheap: it reads what was recorded.

    name: The instance, as regions/REGION/instances/INSTANCE.
    minutes: How far back from its end the range reaches, in minutes.
    until: The end of the range, as 2026-11-22T02:30:00Z; empty for now.
    """
    start, end = asked_range(minutes, until)
    return await reach.call(reach.history.ListChanges, ListChangesRequest(name=name, start=start, end=end))
