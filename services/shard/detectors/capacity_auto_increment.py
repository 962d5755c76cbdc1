"""`capacity.auto_increment`: a table has used up the numbers of its auto-increment column, or will within moments."""

from __future__ import annotations

from libs.core.catalogue import AFFECTED
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from storex.diagnostics.v1 import capacity_pb2, finding_pb2

KIND = "capacity.auto_increment"
TOOL = "list_auto_increments"

NEARLY = 0.99
"""Share of the numbers from which the end is near."""
LEFT_SECONDS = 86_400.0
"""How long the rest must last at the present rate, in seconds."""
MOST_FINDINGS = 3


def detect(readings: Readings) -> Detection:
    """A finding for each such table, the fullest first."""
    answer = readings.answer(TOOL, capacity_pb2.ListAutoIncrementsResponse)
    if answer is None or any(limit.source in ("auto_increments", "tables") for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="The auto-increment columns could not be read.")
    if not answer.columns:
        return Detection(reason="No table has an auto-increment column, as far as can be seen.")
    guilty = [place for place, column in enumerate(answer.columns) if _runs_out(column, answer.window_seconds)]
    fullest = answer.columns[0]
    clear = f"The fullest auto-increment column has used {fullest.used_ratio:.2%} of its numbers."
    return Detection(tuple(_finding(answer, place) for place in guilty[:MOST_FINDINGS]), "" if guilty else clear)


def is_used_up(column: capacity_pb2.AutoIncrement) -> bool:
    """Whether the next row gets no number: engines stop at the largest one, or one beyond it."""
    return column.remaining == 0 or (column.remaining == 1 and column.failed_inserts > 0)


def _runs_out(column: capacity_pb2.AutoIncrement, window: float) -> bool:
    if is_used_up(column):
        return True
    succeeded = column.inserts - column.failed_inserts
    if column.used_ratio < NEARLY or not window or succeeded <= 0:
        return False
    return column.remaining / (succeeded / window) < LEFT_SECONDS


def _finding(answer: capacity_pb2.ListAutoIncrementsResponse, place: int) -> finding_pb2.Finding:
    column = answer.columns[place]
    used_up = is_used_up(column)
    left = "none is left" if used_up else f"{column.remaining} are left"
    return finding_pb2.Finding(
        kind=KIND,
        # An exhausted table that nobody writes to hurts nobody yet.
        severity=finding_pb2.SEVERITY_CRITICAL if column.failed_inserts else finding_pb2.SEVERITY_WARNING,
        confidence=0.97 if used_up else 0.8,
        summary=(
            f"The auto-increment column of {column.table} goes up to {column.largest}, and {left};"
            f" {column.failed_inserts} of {column.inserts} inserts failed lately."
        ),
        entities=[entity(AFFECTED, "table", column.table)],
        evidence=[
            cite(TOOL, answer, f"columns[{place}].{path}", statement)
            for path, statement in (
                ("table", "The table."),
                ("column", "The column."),
                ("data_type", "Its type."),
                ("largest", "The largest number of that type."),
                ("next", "The number that the next row gets."),
                ("used_ratio", "Share of the numbers that are used."),
                ("failed_inserts", "Inserts on the table that failed in the window."),
            )
        ],
        impact=1.0 + column.failed_inserts / max(answer.window_seconds, 1.0),
    )
