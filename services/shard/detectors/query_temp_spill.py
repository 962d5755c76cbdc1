"""`query.temp_spill`: a statement groups or sorts more than a temporary table may hold in memory, and it goes to disk.

The limit is `tmp_table_size`, on MariaDB the smaller of it and `max_heap_table_size`. Small tables that go to disk
because of a column's type cost little, and are not told.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.detectors.parts import named_tables, statement_evidence, statement_parts
from services.shard.detectors.readings import Detection, Readings, entity, limit_codes
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "query.temp_spill"
LIMITING_VARIABLE = "tmp_table_size"

SHARE_ON_DISK = 0.5
"""Temporary tables on disk for each call."""
ROWS_PER_CALL = 5_000
"""A call that reads fewer rows makes a small temporary table, wherever it is."""
LOAD = 0.1
"""Sessions busy with the statement on average, below which it does not matter."""
CRITICAL_LOAD = 2.0
MOST_FINDINGS = 3
_FIGURES = ("temp_disk_tables", "calls", "load", "average_seconds", "rows_examined")


def detect(readings: Readings) -> Detection:
    """A finding for each such statement, the one that costs most first."""
    answer = readings.top_queries
    if answer is None:
        return Detection(not_checked=True, reason="The statements could not be read.")
    if "SAMPLED_ONLY" in limit_codes(answer):
        reason = "Without statement digests it is not known which statement's temporary tables go to disk."
        return Detection(not_checked=True, reason=reason)
    guilty = [place for place, query in enumerate(answer.queries) if _spills(query)][:MOST_FINDINGS]
    if guilty:
        return Detection(tuple(_finding(answer, place) for place in guilty))
    on_disk = sum(query.temp_disk_tables for query in answer.queries)
    return Detection(reason=f"{on_disk} temporary tables went to disk in {answer.window_seconds:.0f} s.")


def _spills(query: diagnostics_pb2.QueryStats) -> bool:
    return (
        query.load >= LOAD
        and query.temp_disk_tables >= SHARE_ON_DISK * query.calls
        and query.rows_examined >= ROWS_PER_CALL * query.calls
    )


def _finding(answer: diagnostics_pb2.ListTopQueriesResponse, place: int) -> finding_pb2.Finding:
    query = answer.queries[place]
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if query.load >= CRITICAL_LOAD else finding_pb2.SEVERITY_WARNING,
        confidence=0.88,
        summary=(
            f"A statement on {named_tables(query)} wrote {query.temp_disk_tables} temporary"
            f" tables to disk in {query.calls} calls of {query.average_seconds:.2f} s each."
        ),
        entities=[*statement_parts(query), entity(CAUSE, "variable", LIMITING_VARIABLE)],
        evidence=statement_evidence(answer, place, *_FIGURES),
        impact=query.load,
    )
