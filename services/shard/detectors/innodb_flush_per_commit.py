"""`innodb.flush_per_commit`: very many small transactions, each of which waits until the disk has its log.

To flush at each commit is right for most; it is a fault of nobody's until commits spend their time on it.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, innodb_pb2

KIND = "innodb.flush_per_commit"
TOOL = "get_commit_state"

COMMITS = 50.0
"""Commits a second; fewer may be slow, but not because of their number."""
SMALL = 10.0
"""Rows that a commit changes, above which it is worth its flush."""
FLUSH_LOAD = 0.6
"""Share of the time that the logs are being flushed."""
COMMITTING, SHARE_COMMITTING = 0.4, 0.4
"""Sessions in a commit on average, and their share of those that do something."""
CRITICAL_COMMITTING = 8.0
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """One finding at most."""
    answer = readings.answer(TOOL, innodb_pb2.GetCommitStateResponse)
    if answer is None:
        return Detection(not_checked=True, reason="Commits could not be read.")
    if not answer.variable:
        return Detection(reason="No setting has the disk flushed at each commit.")
    if _is_blind(answer):
        return Detection(not_checked=True, reason="Neither the flushes' time nor sessions in a commit can be seen.")
    if not answer.window_seconds:
        return Detection(not_checked=True, reason="Nothing has been sampled yet.", look_again=LOOK_AGAIN)
    if not _waits(answer):
        return Detection(
            look_again=LOOK_AGAIN if answer.commits_per_second >= COMMITS and answer.committing_sessions else 0.0,
            reason=(
                f"{answer.commits_per_second:.0f} commits a second of {answer.rows_per_commit:.1f} rows; the logs are"
                f" flushed for {answer.flush_load:.0%} of the time, with {answer.committing_sessions:.1f} sessions in"
                " a commit."
            ),
        )
    return Detection((_finding(answer, readings),))


def _is_blind(answer: innodb_pb2.GetCommitStateResponse) -> bool:
    return {"process", "performance_schema"} <= {limit.source for limit in answer.observation.limits}


def _waits(answer: innodb_pb2.GetCommitStateResponse) -> bool:
    many_and_small = answer.commits_per_second >= COMMITS and answer.rows_per_commit <= SMALL
    committing = answer.committing_sessions
    waits = committing >= COMMITTING and committing >= SHARE_COMMITTING * answer.active_sessions
    return many_and_small and (answer.flush_load >= FLUSH_LOAD or waits)


def _finding(answer: innodb_pb2.GetCommitStateResponse, readings: Readings) -> finding_pb2.Finding:
    critical = answer.committing_sessions >= CRITICAL_COMMITTING
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if critical else finding_pb2.SEVERITY_WARNING,
        confidence=0.85,
        summary=(
            f"{answer.commits_per_second:.0f} commits a second of {answer.rows_per_commit:.1f} rows each wait for the"
            f" disk by {answer.variable}; {answer.committing_sessions:.1f} sessions are in a commit on average."
        ),
        entities=[entity(CAUSE, "variable", answer.variable)],
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("variable", "The setting that has the disk flushed at each commit."),
                ("commits_per_second", "Commits a second."),
                ("rows_per_commit", "Rows changed by each of them."),
                ("flush_load", "Share of the time that the logs were being flushed."),
                ("flush_seconds", "Time of one flush, in seconds."),
                ("committing_sessions", "Sessions in a commit on average."),
                ("active_sessions", "Sessions that run a statement on average."),
            )
        ],
        impact=max(answer.committing_sessions, answer.flush_load),
    )
    changed = readings.changed_at(answer.variable)
    if changed is not None:
        finding.onset.CopyFrom(timestamp(changed))
    return finding
