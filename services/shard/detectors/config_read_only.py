"""`config.read_only`: the server refuses writes that clients keep trying.

A replica is meant to refuse them, and so may be a server that nobody writes to: what tells is that writes fail.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, settings_pb2

KIND = "config.read_only"
TOOL = "get_read_only_state"

FEWEST = 3
"""Fewer refused writes are somebody's mistake."""
SHARE_FAILED = 0.05
"""Share of the writes that fail: administrators may still write, and a few always fail for other reasons."""
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """One finding at most."""
    answer = readings.answer(TOOL, settings_pb2.GetReadOnlyStateResponse)
    if answer is None:
        return Detection(not_checked=True, reason="Whether the server takes writes could not be read.")
    if not answer.read_only:
        return Detection(reason="The server takes writes.")
    if not answer.window_seconds:
        reason = "The server refuses writes; whether anybody tries to write has not been sampled yet."
        return Detection(not_checked=True, reason=reason, look_again=LOOK_AGAIN)
    if not answer.failed_writes and not answer.is_replica and _is_blind(answer):
        reason = f"The server refuses writes by {answer.variable}; whether anybody tries to write is not counted."
        return Detection(not_checked=True, reason=reason)
    if answer.failed_writes < FEWEST or answer.failed_writes < SHARE_FAILED * answer.write_statements:
        tried = f"{answer.failed_writes} of {answer.write_statements} writes failed in {answer.window_seconds:.0f} s"
        again = LOOK_AGAIN if answer.failed_writes else 0.0
        return Detection(reason=f"The server refuses writes by {answer.variable}, but {tried}.", look_again=again)
    return Detection((_finding(answer, readings),))


def _is_blind(answer: settings_pb2.GetReadOnlyStateResponse) -> bool:
    """Engines do not count what they refuse at once, except by digest or by error."""
    return any(limit.source in ("performance_schema", "statement_digests") for limit in answer.observation.limits)


def _finding(answer: settings_pb2.GetReadOnlyStateResponse, readings: Readings) -> finding_pb2.Finding:
    role = "is a replica and" if answer.is_replica else "replicates from nobody and"
    finding = finding_pb2.Finding(
        kind=KIND,
        # Writes that were sent to a replica are refused by design: somebody sends them to the wrong server.
        severity=finding_pb2.SEVERITY_WARNING if answer.is_replica else finding_pb2.SEVERITY_CRITICAL,
        confidence=0.8 if answer.is_replica else 0.95,
        summary=(
            f"The server {role} refuses writes by {answer.variable}: {answer.failed_writes} of"
            f" {answer.write_statements} writes failed in {answer.window_seconds:.0f} s."
        ),
        entities=[entity(CAUSE, "variable", answer.variable)],
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("variable", "The variable that makes the server refuse writes."),
                ("failed_writes", "Writes that failed in the window."),
                ("write_statements", "Writes in the window, those that failed included."),
                ("is_replica", "Whether the server replicates from another."),
                ("window_seconds", "The window, in seconds."),
            )
        ],
        impact=answer.failed_writes / answer.window_seconds,
    )
    changed = readings.changed_at(answer.variable)
    if changed is not None:
        finding.onset.CopyFrom(timestamp(changed))
    return finding
