"""The tool `list_failing_statements`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.failures_pb2 import ListFailingStatementsRequest, ListFailingStatementsResponse


async def list_failing_statements(reach: Reach, name: str) -> ListFailingStatementsResponse:
    """Statements that fail now, how often, with which error and for which clients, the most frequent failures first.

    Use it when clients see errors, or send the same statement again and again. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.ListFailingStatements, ListFailingStatementsRequest(name=name))
