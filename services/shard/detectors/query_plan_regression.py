"""`query.plan_regression`: a statement reads many times the rows a call that it read before, for the same result.

The plan changed: stale statistics, an index that was dropped or is ignored. Where it returns more as well, there is
more data or another parameter, and nothing is wrong with the plan.
"""

from __future__ import annotations

from services.shard.detectors.parts import about, named_tables, statement_evidence, statement_parts
from services.shard.detectors.readings import Detection, Readings, limit_codes
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "query.plan_regression"

TIMES_MORE = 10.0
"""So many times the rows a call, and so many times as many for each row returned."""
ROWS_PER_CALL = 1_000
"""A call that reads fewer rows is quick with any plan."""
TIMES_SLOWER = 2.0
LOAD = 0.05
"""Sessions busy with the statement on average, below which it does not matter."""
CRITICAL_LOAD = 1.0
MOST_FINDINGS = 3
_FIGURES = (
    "calls",
    "load",
    "work_change.before.calls",
    "work_change.before.rows_examined",
    "work_change.before.average_seconds",
    "work_change.after.calls",
    "work_change.after.rows_examined",
    "work_change.after.average_seconds",
    "work_change.after.unindexed_share",
)


def detect(readings: Readings) -> Detection:
    """A finding for each such statement, the one that costs most first."""
    answer = readings.top_queries
    if answer is None:
        return Detection(not_checked=True, reason="The statements could not be read.")
    if "SAMPLED_ONLY" in limit_codes(answer):
        reason = "Without statement digests it is not known how many rows a statement read before."
        return Detection(not_checked=True, reason=reason)
    guilty = [place for place, query in enumerate(answer.queries) if _regressed(query)][:MOST_FINDINGS]
    if guilty:
        return Detection(tuple(_finding(answer, place) for place in guilty))
    known = sum(query.HasField("work_change") for query in answer.queries)
    return Detection(reason=f"None of {len(answer.queries)} statements, of which {known} read more than before, is it.")


def _regressed(query: diagnostics_pb2.QueryStats) -> bool:
    if not query.HasField("work_change") or query.load < LOAD:
        return False
    before, after = query.work_change.before, query.work_change.after
    return (
        after.rows_examined >= ROWS_PER_CALL
        and after.rows_examined >= TIMES_MORE * max(1.0, before.rows_examined)
        and _per_result(after) >= TIMES_MORE * _per_result(before)
        and after.average_seconds >= TIMES_SLOWER * before.average_seconds
    )


def _per_result(cost: diagnostics_pb2.CallCost) -> float:
    return cost.rows_examined / max(1.0, cost.rows_returned)


def _finding(answer: diagnostics_pb2.ListTopQueriesResponse, place: int) -> finding_pb2.Finding:
    query = answer.queries[place]
    before, after = query.work_change.before, query.work_change.after
    scans = after.unindexed_share - before.unindexed_share > 0.5
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if query.load >= CRITICAL_LOAD else finding_pb2.SEVERITY_WARNING,
        confidence=0.92 if scans else 0.8,
        onset=query.work_change.changed_at,
        summary=(
            f"A statement on {named_tables(query)} now reads {about(query)}{after.rows_examined:.0f} rows"
            f" a call, {before.rows_examined:.0f} before, to return or change {after.rows_returned:.1f}"
            + (", and no longer uses an index." if scans else ".")
        ),
        entities=statement_parts(query),
        evidence=statement_evidence(answer, place, *_FIGURES),
        impact=query.load,
    )
