"""Which statements cost most."""

from __future__ import annotations

from services.agent.records import Record
from services.agent.report.facts.fact import Fact, Seen, figure, place, stated
from storex.diagnostics.v1 import diagnostics_pb2 as d

MOST = 3


def statements(seen: Seen) -> list[Fact]:
    """The costliest statements of each instance, by how many sessions they kept busy."""
    return [
        _fact(record, answer, number, seen)
        for record, answer in seen.answers("list_top_queries", d.ListTopQueriesResponse)
        for number in range(min(MOST, len(answer.queries)))
    ]


def _fact(record: Record, answer: d.ListTopQueriesResponse, number: int, seen: Seen) -> Fact:
    query = answer.queries[number]
    tables = f" on {' and '.join(query.tables)}" if query.tables else ""
    text = (
        f"Statement {query.statement.digest}{tables}{place(record, seen)} kept {figure(query.load)} sessions busy:"
        f" {figure(query.calls_per_second)} calls a second of {figure(query.average_seconds)} s each."
    )
    at = f"queries[{number}]"
    return stated(
        text,
        record,
        (f"{at}.statement.digest", "The statement."),
        (f"{at}.load", "Sessions busy with it, on average."),
        (f"{at}.calls_per_second", "Calls a second."),
        (f"{at}.average_seconds", "Average time of a call."),
    )
