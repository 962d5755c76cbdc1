"""The tool `list_index_facts`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.indexes_pb2 import ListIndexFactsRequest, ListIndexFactsResponse


async def list_index_facts(reach: Reach, name: str, page_size: int = 50) -> ListIndexFactsResponse:
    """Indexes that are missing, unused or redundant, tables without a primary key, statistics out of date.

    Use it when statements read too much or a plan has changed. Moderate: read seldom.

    name: The instance, as regions/REGION/instances/INSTANCE.
    page_size: How many at most.
    """
    request = ListIndexFactsRequest(name=name, page_size=page_size)
    return await reach.call(reach.diagnostics.ListIndexFacts, request)
