"""The tool `list_transactions`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import ListTransactionsRequest, ListTransactionsResponse


async def list_transactions(reach: Reach, name: str, page_size: int = 20) -> ListTransactionsResponse:
    """Open InnoDB transactions, oldest first: age, rows locked and changed, idle or running.

    Use it to find old or idle transactions. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    page_size: How many at most.
    """
    return await reach.call(reach.diagnostics.ListTransactions, ListTransactionsRequest(name=name, page_size=page_size))
