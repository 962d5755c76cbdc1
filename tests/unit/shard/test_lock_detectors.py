"""The causes of the locks family besides the row blocker: piles behind a lock, deadlocks, hot rows, greedy writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from services.shard.detectors import (
    lock_deadlock,
    lock_global_read,
    lock_hot_row,
    lock_metadata,
    lock_row_blocker,
    lock_unindexed_write,
)
from services.shard.detectors.readings import Detection, Readings
from services.shard.sampler.history import History, StatusSample
from services.shard.view import timestamp
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2, session_pb2
from tests.unit.shard.findings import NOW, check_against_the_catalogue, check_prose, entities, limited, readings

PILES = [
    (lock_metadata.detect, d.LOCK_KIND_METADATA, "lock.metadata"),
    (lock_global_read.detect, d.LOCK_KIND_GLOBAL, "lock.global_read"),
]
Detect = Callable[[Readings], Detection]


def pile(kind: d.LockKind.ValueType, *, waited: float = 4.0, victims: int = 4) -> d.GetLockWaitsResponse:
    holder = d.LockHolder(
        session=session_pb2.Session(
            connection_id=7, user="report", host="10.0.0.7", program="inventory", command="Sleep"
        ),
        transaction=session_pb2.Transaction(connection_id=7, age_seconds=9.0),
        blocked_sessions=victims,
        longest_wait_seconds=waited,
        kind=kind,
    )
    waiters = [
        d.LockWaiter(
            session=session_pb2.Session(connection_id=8 + number),
            root_connection_id=7,
            depth=1 if number == 0 else 2,
            kind=kind,
            table="shop.stock" if kind == d.LOCK_KIND_METADATA else "",
            requested_mode="EXCLUSIVE" if number == 0 else "SHARED_WRITE",
            wait_seconds=waited,
        )
        for number in range(victims)
    ]
    return d.GetLockWaitsResponse(holders=[holder], waiters=waiters)


@pytest.mark.parametrize(("detect", "kind", "cause"), PILES)
def test_a_pile_names_its_holder_and_who_waits(detect: Detect, kind: d.LockKind.ValueType, cause: str) -> None:
    answer = pile(kind)
    [finding] = detect(readings(get_lock_waits=answer)).findings
    check_against_the_catalogue(finding, {"get_lock_waits": answer})
    check_prose(finding)
    assert (finding.kind, finding.severity, finding.impact) == (cause, finding_pb2.SEVERITY_CRITICAL, 4)
    assert entities(finding)["holder", "connection_id"] == ["7"]
    assert entities(finding)["victim", "connection_id"] == ["8", "9", "10", "11"]


@pytest.mark.parametrize(("detect", "kind", "cause"), PILES)
def test_locks_of_another_kind_are_somebody_elses_finding(
    detect: Detect, kind: d.LockKind.ValueType, cause: str
) -> None:
    assert cause
    for other in {d.LOCK_KIND_ROW, d.LOCK_KIND_METADATA, d.LOCK_KIND_GLOBAL} - {kind}:
        assert not detect(readings(get_lock_waits=pile(other))).findings


def test_a_change_that_waits_a_moment_for_a_statement_is_normal() -> None:
    alone = lock_metadata.detect(readings(get_lock_waits=pile(d.LOCK_KIND_METADATA, waited=2.0, victims=1)))
    assert not alone.findings
    young = lock_metadata.detect(readings(get_lock_waits=pile(d.LOCK_KIND_METADATA, waited=0.4)))
    assert not young.findings
    assert young.look_again == pytest.approx(0.65)


def test_waits_for_an_unseen_holder_are_not_called_clear() -> None:
    waiter = d.LockWaiter(kind=d.LOCK_KIND_METADATA, wait_seconds=5.0)
    detection = lock_metadata.detect(readings(get_lock_waits=d.GetLockWaitsResponse(waiters=[waiter])))
    assert detection.not_checked
    assert "1 sessions wait" in detection.reason


# lock.deadlock


def monitor(*, deadlocks: int = 8, ago: float = 1.0) -> d.GetInnodbStatusResponse:
    answer = d.GetInnodbStatusResponse(deadlocks=100, deadlocks_in_window=deadlocks, window_seconds=30.0)
    answer.last_deadlock.detected_at.CopyFrom(timestamp(NOW - ago))
    for number in (1, 2):
        party = answer.last_deadlock.transactions.add(waiting_table="shop.stock", waiting_index="PRIMARY")
        party.statement.digest = f"d{number}"
    return answer


def test_deadlocks_that_keep_coming() -> None:
    answer = monitor()
    [finding] = lock_deadlock.detect(readings(get_innodb_status=answer)).findings
    check_against_the_catalogue(finding, {"get_innodb_status": answer})
    assert entities(finding) == {
        ("cause", "statement_digest"): ["d1", "d2"],
        ("affected", "table"): ["shop.stock"],
        ("affected", "index"): ["shop.stock.PRIMARY"],
    }


@pytest.mark.parametrize("answer", [monitor(deadlocks=1), monitor(ago=300.0), d.GetInnodbStatusResponse()])
def test_a_deadlock_once_in_a_while_is_part_of_the_work(answer: d.GetInnodbStatusResponse) -> None:
    detection = lock_deadlock.detect(readings(get_innodb_status=answer))
    assert not detection.findings
    assert not detection.not_checked


def test_a_busy_server_has_some_deadlocks_all_day() -> None:
    history = History()
    history.add_status(StatusSample(NOW - 30.0, {"Com_update": 0.0}))
    history.add_status(StatusSample(NOW, {"Com_update": 100_000.0}))
    assert not lock_deadlock.detect(readings(history, get_innodb_status=monitor(deadlocks=20))).findings


# lock.hot_row


def queue(holder: int, *, waiting: int = 6, load: float = 5.0, record: str = "6:5:2") -> d.GetLockWaitsResponse:
    transaction = session_pb2.Transaction(connection_id=holder, transaction_id=str(holder * 10), age_seconds=6.0)
    answer = d.GetLockWaitsResponse(
        holders=[
            d.LockHolder(
                session=session_pb2.Session(connection_id=holder),
                transaction=transaction,
                kind=d.LOCK_KIND_ROW,
                blocked_sessions=waiting,
                longest_wait_seconds=5.0,
            )
        ],
        window_seconds=5.0,
        row_lock_load=load,
        row_lock_waits_per_second=20.0,
        average_row_lock_wait_seconds=0.3,
    )
    for number in range(waiting):
        waiter = answer.waiters.add(
            root_connection_id=holder,
            depth=1,
            kind=d.LOCK_KIND_ROW,
            table="shop.stock",
            index="PRIMARY",
            record=record,
            wait_seconds=5.0,
        )
        waiter.session.connection_id = 100 + number
        waiter.session.statement.digest = "d1"
    return answer


def two_looks(before: d.GetLockWaitsResponse, now: d.GetLockWaitsResponse) -> Readings:
    return replace(readings(get_lock_waits=now), previous=readings(get_lock_waits=before))


def test_a_row_whose_holder_changes_while_its_queue_stays() -> None:
    now = queue(8)
    [finding] = lock_hot_row.detect(two_looks(queue(7), now)).findings
    check_against_the_catalogue(finding, {"get_lock_waits": now})
    assert entities(finding) == {
        ("cause", "statement_digest"): ["d1"],
        ("affected", "table"): ["shop.stock"],
        ("affected", "index"): ["shop.stock.PRIMARY"],
    }
    assert not lock_row_blocker.detect(two_looks(queue(7), now)).findings


def test_one_look_does_not_tell_a_passing_holder_from_a_lasting_one() -> None:
    for detect in (lock_hot_row.detect, lock_row_blocker.detect):
        detection = detect(readings(get_lock_waits=queue(7)))
        assert not detection.findings
        assert detection.look_again > 0.0


def test_a_holder_that_stays_is_a_blocker_and_its_row_is_not_hot() -> None:
    looks = two_looks(queue(7), queue(7))
    assert not lock_hot_row.detect(looks).findings
    assert lock_row_blocker.detect(looks).findings


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (queue(7, record="1:1:1"), queue(8, record="2:2:2")),  # another row each time
        (queue(7, waiting=2), queue(8, waiting=2)),  # few
        (queue(7, load=0.1), queue(8, load=0.1)),  # hardly anybody has waited lately
    ],
)
def test_queues_that_are_no_hot_row(before: d.GetLockWaitsResponse, now: d.GetLockWaitsResponse) -> None:
    assert not lock_hot_row.detect(two_looks(before, now)).findings


# lock.unindexed_write


def greedy(*, locked: int = 60_000, modified: int = 1, waited: float = 2.0) -> d.GetLockWaitsResponse:
    answer = queue(7, load=0.0)
    holder = answer.holders[0]
    holder.longest_wait_seconds = waited
    holder.transaction.rows_locked, holder.transaction.rows_modified = locked, modified
    holder.session.last_statement.digest = "w1"
    return answer


def writes(**changes: object) -> d.ListTopQueriesResponse:
    query = d.QueryStats(
        statement=session_pb2.Statement(digest="w1", digest_text="UPDATE stock SET n = ? WHERE note = ?"),
        schema="shop",
        tables=["shop.stock"],
        calls=4,
        rows_examined=240_000,
        rows_affected=4,
    )
    for name, value in changes.items():
        setattr(query, name, value)
    return d.ListTopQueriesResponse(window_seconds=20.0, queries=[query])


def test_a_write_that_locks_all_that_it_reads() -> None:
    locks, work = greedy(), writes()
    [finding] = lock_unindexed_write.detect(readings(get_lock_waits=locks, list_top_queries=work)).findings
    check_against_the_catalogue(finding, {"get_lock_waits": locks, "list_top_queries": work})
    check_prose(finding)
    assert entities(finding)["cause", "statement_digest"] == ["w1"]
    assert entities(finding)["affected", "table"] == ["shop.stock"]


@pytest.mark.parametrize(
    ("locks", "work"),
    [
        (greedy(modified=60_000), writes()),  # changes what it locks
        (greedy(locked=20), writes()),  # few
        (greedy(waited=0.2), writes()),  # nobody minds
        (greedy(), writes(rows_affected=240_000)),  # no write reads more than it changes
    ],
)
def test_holders_that_are_not_greedy(locks: d.GetLockWaitsResponse, work: d.ListTopQueriesResponse) -> None:
    assert not lock_unindexed_write.detect(readings(get_lock_waits=locks, list_top_queries=work)).findings


def waited(load: float, *, table: str = "") -> d.GetLockWaitsResponse:
    """Nobody waits now, or for a holder that has just begun; sessions have waited for row locks all the time."""
    answer = d.GetLockWaitsResponse() if not table else greedy(locked=200, modified=0, waited=0.2)
    for waiter in answer.waiters:
        waiter.table = table
    answer.window_seconds, answer.row_lock_load = 5.0, load
    return answer


@pytest.mark.parametrize("locks", [waited(4.0), waited(4.0, table="shop.stock")], ids=["between", "just begun"])
def test_between_two_transactions_it_is_looked_again_and_called_clear_by_nobody(locks: d.GetLockWaitsResponse) -> None:
    first = readings(get_lock_waits=locks, list_top_queries=writes())
    for looked in (first, replace(first, previous=first)):
        detection = lock_unindexed_write.detect(looked)
        assert (detection.findings, detection.not_checked) == ((), True)
        assert detection.look_again > 0.0


@pytest.mark.parametrize(
    ("locks", "work"),
    [
        (waited(0.4), writes()),  # hardly anybody waited
        (waited(4.0), writes(rows_affected=240_000)),  # no write reads more than it changes
        (waited(4.0, table="shop.other"), writes()),  # they wait for another table
    ],
)
def test_waits_that_no_such_write_can_be_behind_are_clear(
    locks: d.GetLockWaitsResponse, work: d.ListTopQueriesResponse
) -> None:
    detection = lock_unindexed_write.detect(readings(get_lock_waits=locks, list_top_queries=work))
    assert detection == Detection(reason=detection.reason)


def test_sampled_statements_are_not_judged() -> None:
    work = writes()
    limited(work, "statement_digests", "SAMPLED_ONLY")
    assert lock_unindexed_write.detect(readings(get_lock_waits=greedy(), list_top_queries=work)).not_checked


def given_up(**changes: float) -> d.GetLockWaitsResponse:
    """Waits of less than a second for a holder that has been idle for longer, and many such waits before."""
    answer = pile(d.LOCK_KIND_ROW, waited=changes.pop("waited", 0.4))
    answer.holders[0].transaction.idle = True
    answer.holders[0].transaction.idle_seconds = changes.pop("idle_seconds", 6.0)
    answer.row_lock_load = changes.pop("load", 3.0)
    return answer


def test_clients_that_give_up_soon_wait_for_a_blocker_all_the_same() -> None:
    [finding] = lock_row_blocker.detect(readings(get_lock_waits=given_up())).findings
    assert entities(finding)["holder", "connection_id"] == ["7"]


@pytest.mark.parametrize("changes", [{"load": 0.1}, {"idle_seconds": 1.0}, {"waited": 0.01}])
def test_a_short_wait_alone_makes_no_blocker(changes: dict[str, float]) -> None:
    assert not lock_row_blocker.detect(readings(get_lock_waits=given_up(**changes))).findings
