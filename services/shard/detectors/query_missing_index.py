"""`query.missing_index`: a statement that looks for few rows reads very many, without an index, and it matters.

Only calls that ended show whether they used an index: of those that run, nothing does.
"""

from __future__ import annotations

from services.shard.detectors.parts import about, named_tables, statement_evidence, statement_parts
from services.shard.detectors.query_scans import lacks_index, load_of
from services.shard.detectors.readings import Detection, Readings, limit_codes
from services.shard.view import timestamp
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "query.missing_index"

CRITICAL_LOAD = 1.0
MOST_FINDINGS = 3

_FIGURES = ("rows_examined", "rows_sent", "rows_affected", "unindexed_calls", "calls", "load", "average_seconds")


def detect(readings: Readings) -> Detection:
    """A finding for each such statement, the one that costs most first."""
    answer = readings.top_queries
    if answer is None:
        return Detection(not_checked=True, reason="The statements could not be read.")
    if "SAMPLED_ONLY" in limit_codes(answer):
        return Detection(not_checked=True, reason=_sampled_reason(answer))
    guilty = [place for place, query in enumerate(answer.queries) if lacks_index(query)][:MOST_FINDINGS]
    findings = tuple(_finding(answer, place, readings) for place in guilty)
    return Detection(findings, "" if findings else _clear(answer))


def _clear(answer: diagnostics_pb2.ListTopQueriesResponse) -> str:
    if not answer.queries:
        return f"No statement ended in the last {answer.window_seconds:.0f} s."
    unindexed = [query for query in answer.queries if query.unindexed_calls]
    if not unindexed:
        return f"Each of the {len(answer.queries)} costliest statements of {answer.window_seconds:.0f} s used an index."
    worst = max(unindexed, key=lambda query: query.load)
    per_call = worst.rows_examined / max(1, worst.calls)
    return (
        f"The costliest statement without an index keeps {worst.load:.3f} sessions busy and reads {per_call:.0f} rows"
        " a call."
    )


def _sampled_reason(answer: diagnostics_pb2.ListTopQueriesResponse) -> str:
    reason = "Without statement digests it is not known how many rows a statement reads, or whether it used an index."
    if answer.queries:
        busiest = answer.queries[0]
        reason += f" The busiest statement by samples is {busiest.statement.digest}, with load {busiest.load:.2f}."
    return reason


def _finding(answer: diagnostics_pb2.ListTopQueriesResponse, place: int, readings: Readings) -> finding_pb2.Finding:
    query = answer.queries[place]
    load = load_of(query)
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if load >= CRITICAL_LOAD else finding_pb2.SEVERITY_WARNING,
        confidence=_confidence(query),
        summary=f"A statement on {named_tables(query)} {_doing(query)}",
        entities=statement_parts(query),
        evidence=statement_evidence(answer, place, *_FIGURES),
        impact=load,
    )
    onset = _first_seen(query, readings)
    if onset is not None:
        finding.onset.CopyFrom(timestamp(onset))
    return finding


def _confidence(query: diagnostics_pb2.QueryStats) -> float:
    if not query.tables:
        return 0.7  # what a procedure runs inside may mean to read so much
    return 0.95 if query.unindexed_calls >= 0.95 * query.calls else 0.8


def _doing(query: diagnostics_pb2.QueryStats) -> str:
    per_call = query.rows_examined / query.calls
    results = (query.rows_sent + query.rows_affected) / query.calls
    return (
        f"reads {about(query)}{per_call:.0f} rows a call to return or change {results:.1f}, without a fitting index,"
        f" {query.calls_per_second:.1f} times a second."
    )


def _first_seen(query: diagnostics_pb2.QueryStats, readings: Readings) -> float | None:
    """When the digest first appeared, where that was after the sampling began; else not known."""
    key = (query.schema, query.statement.digest)
    before: float | None = None
    for sample in readings.history.digests:
        if key in sample.counters:
            return None if before is None else readings.now - (readings.at - sample.at)
        before = sample.at
    return readings.now if before is not None else None
