"""Open transactions, oldest first."""

from __future__ import annotations

from libs.core.paging import page_of
from services.shard.facts.sessions import SESSION_STATEMENTS, read_sessions
from services.shard.facts.transactions import read_transactions
from services.shard.mysql.statements import Statement
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2


async def list_transactions(
    view: InstanceView, request: diagnostics_pb2.ListTransactionsRequest
) -> diagnostics_pb2.ListTransactionsResponse:
    """Read INNODB_TRX with the sessions that the transactions belong to."""
    began = view.clock.now()
    results = await view.source.read(Statement.TRANSACTIONS, *SESSION_STATEMENTS)
    transactions = read_transactions(results, read_sessions(results, view.texts))
    oldest_first = sorted(transactions, key=lambda transaction: -transaction.age_seconds)
    page, token = page_of(oldest_first, request.page_size, request.page_token, default=100, largest=1000)
    return diagnostics_pb2.ListTransactionsResponse(
        observation=view.observation(began, results),
        transactions=page,
        next_page_token=token,
        total_count=len(oldest_first),
    )
