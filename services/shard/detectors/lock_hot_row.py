"""`lock.hot_row`: many sessions queue for the same row in turn; each holds it for a moment, and the queue stays.

Not `lock.row_blocker`, where one transaction keeps the row: between two looks the holder changes while the queue for
the same record stays. Waits that end are what the engine counts, so that the two are told apart by that figure too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from libs.core.catalogue import AFFECTED, CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import queue_severity
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "lock.hot_row"
TOOL = "get_lock_waits"

FEWEST_WAITING = 3
"""Sessions that wait for one row at the same moment."""
LOAD = 0.5
"""Sessions that wait for row locks on average, by the waits that ended."""
BETWEEN_LOOKS = 0.3
"""Seconds after which the row should have another holder."""
MOST_FINDINGS = 3

Record = tuple[str, str, str]
"""Table, index, and place of the record."""


@dataclass(frozen=True, slots=True)
class _Queue:
    record: Record
    places: tuple[int, ...]
    """Where its waiters stand in the answer."""
    holder: str
    """The transaction that holds the row now."""


def detect(readings: Readings) -> Detection:
    """A finding for each row with a lasting queue and changing holders."""
    answer = readings.lock_waits
    if answer is None:
        return Detection(not_checked=True, reason="The lock waits could not be read.")
    if {limit.source for limit in answer.observation.limits} & {"process", "performance_schema", "row_lock_waits"}:
        waiting = sum(waiter.kind == diagnostics_pb2.LOCK_KIND_ROW for waiter in answer.waiters)
        if waiting or any(limit.source == "process" for limit in answer.observation.limits):
            return Detection(not_checked=True, reason="Which rows sessions wait for cannot be seen.")
    queues = [queue for queue in _queues(answer) if len(queue.places) >= FEWEST_WAITING]
    if not queues:
        again = BETWEEN_LOOKS if answer.row_lock_load >= LOAD and readings.previous is None else 0.0
        return Detection(reason="No row has a queue of sessions.", look_again=again)
    if not answer.window_seconds:
        return Detection(reason="A row has a queue; how waits end has not been counted yet.", look_again=1.0)
    if answer.row_lock_load < LOAD:
        return Detection(
            reason=(
                "A row has a queue that does not move: the row-lock waits that have ended make up"
                f" {answer.row_lock_load:.1f} sessions on average."
            )
        )
    hot = [queue for queue in queues if _has_moved_on(queue, readings)][:MOST_FINDINGS]
    if not hot:
        return Detection(reason="A row has a queue behind one holder.", look_again=BETWEEN_LOOKS)
    return Detection(tuple(_finding(answer, queue, readings.now) for queue in hot if _digest(answer, queue)))


def _queues(answer: diagnostics_pb2.GetLockWaitsResponse) -> list[_Queue]:
    places: dict[Record, list[int]] = defaultdict(list)
    for number, waiter in enumerate(answer.waiters):
        if waiter.kind == diagnostics_pb2.LOCK_KIND_ROW and waiter.record:
            places[(waiter.table, waiter.index, waiter.record)].append(number)
    transactions = {
        holder.session.connection_id: f"{holder.session.connection_id}/{holder.transaction.transaction_id}"
        for holder in answer.holders
    }
    return [
        _Queue(record, tuple(found), transactions.get(answer.waiters[found[0]].root_connection_id, ""))
        for record, found in sorted(places.items(), key=lambda item: -len(item[1]))
    ]


def _has_moved_on(queue: _Queue, readings: Readings) -> bool:
    earlier = readings.previous.lock_waits if readings.previous is not None else None
    before = _queues(earlier) if earlier is not None else []
    return any(
        found.record == queue.record and len(found.places) >= FEWEST_WAITING - 1 and found.holder != queue.holder
        for found in before
    )


def _digest(answer: diagnostics_pb2.GetLockWaitsResponse, queue: _Queue) -> str:
    """What most of those in the queue run."""
    digests = Counter(answer.waiters[number].session.statement.digest for number in queue.places)
    return next((digest for digest, _ in digests.most_common() if digest), "")


def _finding(answer: diagnostics_pb2.GetLockWaitsResponse, queue: _Queue, now: float) -> finding_pb2.Finding:
    table, index, _ = queue.record
    longest = max(answer.waiters[number].wait_seconds for number in queue.places)
    return finding_pb2.Finding(
        kind=KIND,
        severity=queue_severity(len(queue.places), longest),
        confidence=0.9,
        onset=timestamp(now - answer.window_seconds),
        summary=(
            f"{len(queue.places)} sessions queue for one row of {table}, and its holder changes all the time: waits"
            f" last {answer.average_row_lock_wait_seconds:.2f} s on average, {answer.row_lock_waits_per_second:.0f}"
            " begin each second."
        ),
        entities=[
            entity(CAUSE, "statement_digest", _digest(answer, queue)),
            entity(AFFECTED, "table", table),
            *([entity(AFFECTED, "index", f"{table}.{index}")] if index else []),
        ],
        evidence=_evidence(answer, queue),
        impact=max(answer.row_lock_load, float(len(queue.places))),
    )


def _evidence(answer: diagnostics_pb2.GetLockWaitsResponse, queue: _Queue) -> list[entity_pb2.Evidence]:
    digest = _digest(answer, queue)
    shown = [number for number in queue.places if answer.waiters[number].session.statement.digest == digest][:3]
    paths = [
        ("row_lock_load", "Sessions that waited for row locks on average, by the waits that ended."),
        ("row_lock_waits_per_second", "Row-lock waits that began, a second."),
        ("average_row_lock_wait_seconds", "How long a wait lasted on average, in seconds."),
    ]
    for number in shown:
        paths += [
            (f"waiters[{number}].session.statement.digest", "A session that runs this waits."),
            (f"waiters[{number}].record", "It waits for the record at this place."),
            (f"waiters[{number}].table", "The record is of this table."),
        ]
    return [cite(TOOL, answer, path, statement) for path, statement in paths]
