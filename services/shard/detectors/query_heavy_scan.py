"""`query.heavy_scan`: a statement sums up or returns a great part of a table again and again; no index would spare it.

A statement that looks for few rows and reads many lacks an index instead. What one session alone runs, one call after
the other, is how a batch works, and not told.
"""

from __future__ import annotations

from services.shard.detectors.parts import about, named_tables, statement_evidence, statement_parts
from services.shard.detectors.query_scans import calls_of, lacks_index, load_of, looks_for_few_rows, runs_on_and_on
from services.shard.detectors.readings import Detection, Readings, limit_codes
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "query.heavy_scan"

ROWS_PER_CALL = 10_000
SHARE_OF_ROWS = 0.5
"""The statement reads at least this share of all rows that the costliest statements read."""
FEWEST_CALLS = 3
"""Fewer calls in the window are a report that somebody wants, not a habit."""
LOAD = 0.25
"""Sessions busy with the statement on average, below which it does not matter."""
CRITICAL_LOAD = 2.0
MOST_FINDINGS = 3
_FIGURES = ("rows_examined", "rows_sent", "calls", "calls_per_second", "load", "average_seconds")
_RUNNING_FIGURES = ("running_sessions", "running_seconds", "running_load")


def detect(readings: Readings) -> Detection:
    """A finding for each such statement, the one that costs most first."""
    answer = readings.top_queries
    if answer is None:
        return Detection(not_checked=True, reason="The statements could not be read.")
    if "SAMPLED_ONLY" in limit_codes(answer):
        reason = "Without statement digests it is not known how many rows a statement reads."
        return Detection(not_checked=True, reason=reason)
    all_rows = sum(query.rows_examined for query in answer.queries)
    heavy = [place for place, query in enumerate(answer.queries) if _is_heavy(query, all_rows, readings)]
    guilty = [place for place in heavy if not _is_a_batch(answer.queries[place], readings)][:MOST_FINDINGS]
    if guilty:
        return Detection(tuple(_finding(answer, place) for place in guilty))
    if heavy:
        return Detection(reason=f"{len(heavy)} statements read a great deal, each in one session, as a batch does.")
    most = max((query.rows_examined / max(1, query.calls) for query in answer.queries), default=0.0)
    return Detection(reason=f"The statement that reads most reads {most:.0f} rows a call.")


def _is_heavy(query: diagnostics_pb2.QueryStats, all_rows: int, readings: Readings) -> bool:
    if runs_on_and_on(query, readings.history):
        return not looks_for_few_rows(query.statement.digest_text)
    return (
        load_of(query) >= LOAD
        and query.calls > 0
        and calls_of(query) >= FEWEST_CALLS
        and query.rows_examined >= ROWS_PER_CALL * query.calls
        and query.rows_examined >= SHARE_OF_ROWS * all_rows
        and query.rows_affected == 0
        and not lacks_index(query)
    )


def _is_a_batch(query: diagnostics_pb2.QueryStats, readings: Readings) -> bool:
    """Whether samples caught the statement, and always in the same one session."""
    if load_of(query) > 1.0:
        return False
    key = (query.schema, query.statement.digest)
    caught = [
        running.connection_id
        for sample in readings.history.activity
        for running in sample.running
        if (running.schema, running.digest) == key
    ]
    return len(caught) >= FEWEST_CALLS and len(set(caught)) == 1


def _finding(answer: diagnostics_pb2.ListTopQueriesResponse, place: int) -> finding_pb2.Finding:
    query = answer.queries[place]
    load = load_of(query)
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if load >= CRITICAL_LOAD else finding_pb2.SEVERITY_WARNING,
        confidence=0.85 if query.calls else 0.7,
        summary=f"A statement on {named_tables(query)} {_doing(query)}",
        entities=statement_parts(query),
        evidence=statement_evidence(answer, place, *(_FIGURES if query.calls else _RUNNING_FIGURES)),
        impact=load,
    )


def _doing(query: diagnostics_pb2.QueryStats) -> str:
    if not query.calls:
        return (
            f"has run for {query.running_seconds:.0f} s in {query.running_sessions} sessions at once, and none of"
            " them has ended yet."
        )
    per_call = query.rows_examined / query.calls
    return (
        f"reads {about(query)}{per_call:.0f} rows a call, as it is written to, {query.calls_per_second:.1f} times a"
        f" second; it keeps {load_of(query):.1f} sessions busy."
    )
