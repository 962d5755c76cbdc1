"""`innodb.redo_stall`: more is written than the redo log has room for, and whoever writes waits for room.

A log that is nearly full is how engines use it. What tells is that it stays full although it would hold only seconds
of what is written, and that several sessions are busy writing all the time: one alone, as a nightly load, is just that.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity, limit_codes
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, innodb_pb2

KIND = "innodb.redo_stall"
TOOL = "get_redo_state"

FULL = 0.7
"""Checkpoint age over the age from which writers wait, on average."""
FILLED_WITHIN = 30.0
"""Seconds in which a log of the right size is not filled: it would hold half an hour or more."""
WRITING = 1.5
"""Sessions that are in the middle of a write on average: one alone cannot be more than one, however little it waits."""
CRITICAL_WRITING = 8.0
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """One finding at most."""
    answer = readings.answer(TOOL, innodb_pb2.GetRedoStateResponse)
    if answer is None:
        return Detection(not_checked=True, reason="The redo log could not be read.")
    if "CHECKPOINT_AGE_UNKNOWN" in limit_codes(answer):
        return Detection(not_checked=True, reason="This version of the engine does not tell how full its redo log is.")
    if not answer.window_seconds:
        return Detection(not_checked=True, reason="Nothing has been sampled yet.", look_again=LOOK_AGAIN)
    if "CAPACITY_UNKNOWN" in limit_codes(answer):
        return Detection(not_checked=True, reason="The size of the redo log could not be read.")
    if _is_full(answer) and _is_blind(answer):
        return Detection(
            not_checked=True, reason="The redo log is full; whether sessions wait for that cannot be seen."
        )
    if not _is_full(answer) or answer.writing_sessions < WRITING:
        again = LOOK_AGAIN if _is_full(answer) and answer.writing_sessions else 0.0
        return Detection(look_again=again, reason=_clear(answer))
    return Detection((_finding(answer, readings),))


def _is_blind(answer: innodb_pb2.GetRedoStateResponse) -> bool:
    """Whether the account sees no sessions but its own."""
    return answer.writing_sessions < WRITING and any(limit.source == "process" for limit in answer.observation.limits)


def _is_full(answer: innodb_pb2.GetRedoStateResponse) -> bool:
    return answer.average_used_ratio >= FULL and 0.0 < answer.seconds_to_fill <= FILLED_WITHIN


def _clear(answer: innodb_pb2.GetRedoStateResponse) -> str:
    filled = f"would be filled within {answer.seconds_to_fill:.0f} s" if answer.seconds_to_fill else "is not written to"
    return (
        f"{answer.average_used_ratio:.0%} of the redo log's room is in use and it {filled};"
        f" {answer.writing_sessions:.1f} sessions write."
    )


def _finding(answer: innodb_pb2.GetRedoStateResponse, readings: Readings) -> finding_pb2.Finding:
    critical = answer.writing_sessions >= CRITICAL_WRITING
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if critical else finding_pb2.SEVERITY_WARNING,
        confidence=0.85,
        summary=(
            f"The redo log of {answer.capacity_bytes} bytes ({answer.variable}) is full: what is written fills its room"
            f" within {answer.seconds_to_fill:.1f} s, and {answer.writing_sessions:.1f} sessions are held up writing."
        ),
        entities=[entity(CAUSE, "variable", answer.variable)],
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("variable", "The variable that sets the redo log's size."),
                ("capacity_bytes", "Its size, in bytes."),
                ("average_used_ratio", "Its checkpoint's age, as a share of that from which writers wait."),
                ("write_bytes_per_second", "Log written a second, in bytes."),
                ("seconds_to_fill", "Seconds in which that fills its room."),
                ("writing_sessions", "Sessions that are in the middle of a write on average."),
                ("log_waits_per_second", "Waits for room in the log's buffer a second."),
            )
        ],
        impact=answer.writing_sessions,
    )
    changed = readings.changed_at(answer.variable)
    if changed is not None:
        finding.onset.CopyFrom(timestamp(changed))
    return finding
