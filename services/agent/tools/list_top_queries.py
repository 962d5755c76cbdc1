"""The tool `list_top_queries`."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from services.agent.reach import Reach
from services.agent.timestamps import moment
from storex.diagnostics.v1.diagnostics_pb2 import ListTopQueriesRequest, ListTopQueriesResponse


async def list_top_queries(
    reach: Reach, name: str, window_seconds: int = 60, page_size: int = 20, until: str = ""
) -> ListTopQueriesResponse:
    """The statements that cost most over the last minutes, by digest: calls, time, rows read and returned, index use.

    Use it when the server is busy or a statement is slow. Cheap: it reads what was sampled.

    name: The instance, as regions/REGION/instances/INSTANCE.
    window_seconds: How far back to look, in seconds.
    page_size: How many at most.
    until: The end of a time in the past, as 2026-11-22T02:30:00Z; empty for now.
    """
    request = ListTopQueriesRequest(name=name, page_size=page_size, window=Duration(seconds=window_seconds))
    if until:
        request.at.CopyFrom(moment(until))
    return await reach.call(reach.diagnostics.ListTopQueries, request)
