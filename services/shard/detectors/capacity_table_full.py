"""`capacity.table_full`: a table has reached its limit, and what would be added to it is refused."""

from __future__ import annotations

from libs.core.catalogue import AFFECTED
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from storex.diagnostics.v1 import capacity_pb2, finding_pb2

KIND = "capacity.table_full"
TOOL = "list_table_limits"

FEWEST, SHARE_FAILED = 3, 0.02
"""Inserts that failed, and their share: it may have been filled only now, and rows that are deleted make room."""
FULL = 0.95
"""Data over limit: engines round either."""
MOST_FINDINGS = 3
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """A finding for each such table."""
    answer = readings.answer(TOOL, capacity_pb2.ListTableLimitsResponse)
    if answer is None or any(limit.source in ("table_limits", "tables") for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="The tables' limits could not be read.")
    if not answer.tables:
        return Detection(reason="No table has a limit of its own.")
    full = [place for place, table in enumerate(answer.tables) if table.used_ratio >= FULL]
    if full and not answer.window_seconds:
        reason = f"{len(full)} tables are full; whether inserts into them fail is not known."
        return Detection(not_checked=True, reason=reason, look_again=LOOK_AGAIN)
    guilty = [place for place in full if _refuses(answer.tables[place])][:MOST_FINDINGS]
    fullest = answer.tables[0]
    clear = f"The fullest table with a limit is at {fullest.used_ratio:.0%} of it, and no insert into it failed."
    again = LOOK_AGAIN if full and any(answer.tables[place].inserts for place in full) else 0.0
    return Detection(
        tuple(_finding(answer, place) for place in guilty), "" if guilty else clear, look_again=0.0 if guilty else again
    )


def _refuses(table: capacity_pb2.TableLimit) -> bool:
    return table.failed_inserts >= FEWEST and table.failed_inserts >= SHARE_FAILED * table.inserts


def _finding(answer: capacity_pb2.ListTableLimitsResponse, place: int) -> finding_pb2.Finding:
    table = answer.tables[place]
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.95,
        summary=(
            f"{table.table} ({table.engine}) holds {table.data_bytes} of {table.limit_bytes} bytes:"
            f" {table.failed_inserts} of {table.inserts} inserts failed in {answer.window_seconds:.0f} s."
        ),
        entities=[entity(AFFECTED, "table", table.table)],
        evidence=[
            cite(TOOL, answer, f"tables[{place}].{path}", statement)
            for path, statement in (
                ("table", "The table."),
                ("engine", "Its storage engine."),
                ("data_bytes", "Its data, in bytes."),
                ("limit_bytes", "The most that it may hold, in bytes."),
                ("failed_inserts", "Inserts into it that failed in the window."),
                ("inserts", "Inserts into it in the window."),
            )
        ],
        impact=table.failed_inserts / max(answer.window_seconds, 1.0),
    )
