"""`lock.deadlock`: transactions keep deadlocking, not just once in a while.

One is rolled back each time, and what it did is done again: rare ones are part of the work, and not told. Many at once
may also come from a write that locks far more rows than it changes.
"""

from __future__ import annotations

from libs.core.catalogue import AFFECTED, CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "lock.deadlock"
TOOL = "get_innodb_status"

FEWEST = 3
"""Deadlocks in the window below which it is chance."""
PER_WRITE = 0.002
"""Deadlocks for each statement that writes: below this a busy server has them all day, and nobody minds."""
CRITICAL_RATE = 1.0
"""Deadlocks a second."""
STILL = 20.0
"""The last one is no older than this while it goes on, in seconds."""
_WRITES = ("Com_insert", "Com_update", "Com_delete")


def detect(readings: Readings) -> Detection:
    """One finding, about the tables and statements of the last deadlock."""
    answer = readings.innodb_status
    if answer is None:
        return Detection(not_checked=True, reason="The InnoDB monitor could not be read.")
    if any(limit.source == "process" for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="The InnoDB monitor cannot be seen by Storex's database account.")
    if not answer.window_seconds and _is_recent(answer, readings):
        return Detection(not_checked=True, reason="Deadlocks have not been counted yet.", look_again=1.0)
    reason = f"{answer.deadlocks_in_window} deadlocks in {answer.window_seconds:.0f} s, {answer.deadlocks} since start."
    if not _keeps_on(answer, readings) or not _tables(answer):
        return Detection(reason=reason)
    return Detection((_finding(answer, readings.now),))


def _keeps_on(answer: diagnostics_pb2.GetInnodbStatusResponse, readings: Readings) -> bool:
    often = answer.deadlocks_in_window >= max(FEWEST, PER_WRITE * _writes(answer, readings))
    return often and _is_recent(answer, readings)


def _is_recent(answer: diagnostics_pb2.GetInnodbStatusResponse, readings: Readings) -> bool:
    found = answer.last_deadlock
    age = readings.now - found.detected_at.ToMicroseconds() / 1e6 if found.HasField("detected_at") else 0.0
    return answer.HasField("last_deadlock") and age <= STILL


def _writes(answer: diagnostics_pb2.GetInnodbStatusResponse, readings: Readings) -> float:
    before = readings.history.status_before(readings.at, answer.window_seconds)
    now = readings.history.status[-1] if readings.history.status else None
    if before is None or now is None:
        return 0.0
    return sum(max(0.0, now.values.get(name, 0.0) - before.values.get(name, 0.0)) for name in _WRITES)


def _tables(answer: diagnostics_pb2.GetInnodbStatusResponse) -> list[str]:
    parties = answer.last_deadlock.transactions
    return list(dict.fromkeys(party.waiting_table for party in parties if party.waiting_table))


def _finding(answer: diagnostics_pb2.GetInnodbStatusResponse, now: float) -> finding_pb2.Finding:
    rate = answer.deadlocks_in_window / answer.window_seconds
    tables = _tables(answer)
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if rate >= CRITICAL_RATE else finding_pb2.SEVERITY_WARNING,
        confidence=0.95,
        onset=timestamp(now - answer.window_seconds),
        summary=(
            f"{answer.deadlocks_in_window} deadlocks in {answer.window_seconds:.0f} s; the last one was over"
            f" {' and '.join(tables)}."
        ),
        entities=_entities(answer),
        evidence=_evidence(answer),
        impact=rate,
    )


def _entities(answer: diagnostics_pb2.GetInnodbStatusResponse) -> list[entity_pb2.Entity]:
    parties = answer.last_deadlock.transactions
    digests = dict.fromkeys(party.statement.digest for party in parties if party.statement.digest)
    indexes = dict.fromkeys(f"{party.waiting_table}.{party.waiting_index}" for party in parties if party.waiting_index)
    return [
        *(entity(CAUSE, "statement_digest", digest) for digest in digests),
        *(entity(AFFECTED, "table", table) for table in _tables(answer)),
        *(entity(AFFECTED, "index", index) for index in indexes),
    ]


def _evidence(answer: diagnostics_pb2.GetInnodbStatusResponse) -> list[entity_pb2.Evidence]:
    paths = [
        ("deadlocks_in_window", "Deadlocks in the window."),
        ("window_seconds", "The window, in seconds."),
        ("deadlocks", "Deadlocks since the server started."),
    ]
    for number, party in enumerate(answer.last_deadlock.transactions[:3]):
        at = f"last_deadlock.transactions[{number}]"
        if party.waiting_table:
            paths.append((f"{at}.waiting_table", "One side of the last deadlock waited for a row of this table."))
        if party.statement.digest:
            paths.append((f"{at}.statement.digest", "This is what it ran."))
    return [cite(TOOL, answer, path, statement) for path, statement in paths]
