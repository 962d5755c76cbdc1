"""`innodb.purge_lag`: a transaction's old read view keeps the undo of all later changes from being purged.

Every server has a history for moments, and every report a read view for a while. What tells is a client that does
nothing on an old one while others write, a statement that does not end meanwhile, or a transaction that has worked for
so long that the history grew very large.
"""

from __future__ import annotations

from libs.core.catalogue import HOLDER
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.facts.transactions import does_nothing, read_view_seconds, statement_seconds
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, innodb_pb2, session_pb2

KIND = "innodb.purge_lag"
TOOL = "get_purge_state"

SHORTEST_AGE = 5.0
"""A younger read view is that of ordinary work, in seconds."""
LONG_HISTORY = 1_000
"""Undo logs from which the history matters while an idle transaction keeps it."""
LONGEST_STATEMENT = 60.0
"""A statement may run for so long, in seconds, before the history is held against it."""
LARGE_HISTORY = 20_000
LONGEST_WORK = 300.0
"""A transaction of many statements may take so long, in seconds."""
HUGE_HISTORY = 200_000
CRITICAL_HISTORY = 1_000_000
NOTICED_AGE = 1.0
"""From this age on, a second look may decide."""


def detect(readings: Readings) -> Detection:
    """One finding at most: only the oldest read view keeps anything."""
    answer = readings.answer(TOOL, innodb_pb2.GetPurgeStateResponse)
    if answer is None:
        return Detection(not_checked=True, reason="The history list could not be read.")
    if any(limit.source in ("process", "transactions") for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Open transactions cannot be seen by Storex's database account.")
    if _holds_up(answer):
        return Detection((_finding(answer, readings),))
    return Detection(reason=_clear(answer), look_again=_until_decided(answer))


def _holds_up(answer: innodb_pb2.GetPurgeStateResponse) -> bool:
    if not answer.HasField("oldest_view") or not answer.read_views:
        return False
    view, history = answer.oldest_view, answer.history_list_length
    if does_nothing(view):
        return read_view_seconds(view) >= SHORTEST_AGE and history >= LONG_HISTORY
    if statement_seconds(view) >= LONGEST_STATEMENT:
        return history >= LARGE_HISTORY
    return read_view_seconds(view) >= LONGEST_WORK and history >= HUGE_HISTORY


def _until_decided(answer: innodb_pb2.GetPurgeStateResponse) -> float:
    view, age = answer.oldest_view, read_view_seconds(answer.oldest_view)
    young = does_nothing(view) and NOTICED_AGE <= age < SHORTEST_AGE and answer.read_views > 0
    return max(0.1, SHORTEST_AGE - age + 0.1) if young and answer.history_list_length >= 500 else 0.0


def _clear(answer: innodb_pb2.GetPurgeStateResponse) -> str:
    if not answer.HasField("oldest_view"):
        return f"The history list has {answer.history_list_length} entries, and no transaction keeps a read view."
    doing = "idle" if does_nothing(answer.oldest_view) else "at work"
    return (
        f"The history list has {answer.history_list_length} entries; the oldest transaction that may keep a read view"
        f" has had it for {read_view_seconds(answer.oldest_view):.0f} s and is {doing}."
    )


def _finding(answer: innodb_pb2.GetPurgeStateResponse, readings: Readings) -> finding_pb2.Finding:
    view, session = answer.oldest_view, answer.oldest_view.session
    owners = (("user", session.user), ("host", session.host), ("program", session.program))
    critical = answer.history_list_length >= CRITICAL_HISTORY
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if critical else finding_pb2.SEVERITY_WARNING,
        confidence=0.9 if does_nothing(view) else 0.8,
        onset=timestamp(readings.now - read_view_seconds(view)),
        summary=(
            f"Connection {view.connection_id} {_doing(view)} a transaction open for {view.age_seconds:.0f} s, whose"
            f" read view keeps {answer.history_list_length} undo logs from being purged."
        ),
        entities=[
            entity(HOLDER, "connection_id", str(view.connection_id)),
            *(entity(HOLDER, kind, value) for kind, value in owners if value),
        ],
        evidence=[
            cite(TOOL, answer, path, statement)
            for path, statement in (
                ("oldest_view.connection_id", "This connection has the oldest read view."),
                ("oldest_view.session.connection_id", "Its session."),
                ("oldest_view.age_seconds", "Its transaction has been open for so many seconds."),
                ("oldest_view.idle", "Whether its client runs nothing at this moment."),
                ("history_list_length", "Undo logs that wait to be purged."),
                ("read_views", "Read views open inside InnoDB."),
            )
        ],
        impact=min(1.0, answer.history_list_length / CRITICAL_HISTORY),
    )


def _doing(view: session_pb2.Transaction) -> str:
    if does_nothing(view):
        return "sits idle in" if view.idle else "only sleeps in"
    return "still works in"
