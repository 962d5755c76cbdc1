"""The tool `explain_statement`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.plans_pb2 import ExplainStatementRequest, ExplainStatementResponse


async def explain_statement(reach: Reach, name: str, digest: str) -> ExplainStatementResponse:
    """How the engine would carry a statement out: tables in order, indexes used and possible, rows read.

    Use it for a statement that reads far too much, where the instance allows it; SELECTs only. Moderate.

    name: The instance, as regions/REGION/instances/INSTANCE.
    digest: The statement's digest, as list_top_queries names it.
    """
    request = ExplainStatementRequest(name=name, digest=digest)
    return await reach.call(reach.diagnostics.ExplainStatement, request)
