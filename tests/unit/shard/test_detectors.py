"""Detectors over answers as collectors make them, and over the window."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from libs.core.errors import Reason, StorexError
from services.shard.detectors import connections_leak, lock_row_blocker, query_missing_index
from services.shard.detectors.readings import Detection, Readings
from services.shard.sampler.history import ConnectionSample, History, Owner, TrackedConnection
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, session_pb2
from tests.unit.shard.findings import NOW, check_against_the_catalogue, check_prose, entities, limited, readings

# lock.row_blocker


def lock_waits(*, waited: float = 4.0, age: float = 9.0, idle: bool = True) -> diagnostics_pb2.GetLockWaitsResponse:
    holder = diagnostics_pb2.LockHolder(
        session=session_pb2.Session(
            connection_id=7, user="orders_app", host="10.0.0.7", program="batch", command="Sleep"
        ),
        transaction=session_pb2.Transaction(connection_id=7, age_seconds=age, idle=idle),
        blocked_sessions=2,
        longest_wait_seconds=waited,
        kind=diagnostics_pb2.LOCK_KIND_ROW,
    )
    holder.session.last_statement.digest = "d1"
    waiters = [
        diagnostics_pb2.LockWaiter(
            session=session_pb2.Session(connection_id=number),
            blocking_connection_id=7,
            root_connection_id=7,
            depth=1,
            kind=diagnostics_pb2.LOCK_KIND_ROW,
            table="orders.orders",
            index="PRIMARY",
            wait_seconds=waited,
        )
        for number in (8, 9)
    ]
    return diagnostics_pb2.GetLockWaitsResponse(holders=[holder], waiters=waiters)


def test_row_blocker() -> None:
    answer = lock_waits()
    detection = lock_row_blocker.detect(readings(get_lock_waits=answer))
    [finding] = detection.findings
    check_against_the_catalogue(finding, {"get_lock_waits": answer})
    check_prose(finding)
    assert finding.severity == finding_pb2.SEVERITY_WARNING
    assert finding.impact == 2
    assert finding.onset.seconds == NOW - 4
    assert entities(finding) == {
        ("holder", "connection_id"): ["7"],
        ("holder", "user"): ["orders_app"],
        ("holder", "host"): ["10.0.0.7"],
        ("holder", "program"): ["batch"],
        ("victim", "connection_id"): ["8", "9"],
        ("affected", "table"): ["orders.orders"],
        ("affected", "index"): ["orders.orders.PRIMARY"],
        ("cause", "statement_digest"): ["d1"],
    }


def test_a_long_wait_is_critical() -> None:
    [finding] = lock_row_blocker.detect(readings(get_lock_waits=lock_waits(waited=20.0, age=30.0))).findings
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


def test_a_queue_whose_holder_is_younger_than_the_wait_is_not_one_blocker() -> None:
    detection = lock_row_blocker.detect(readings(get_lock_waits=lock_waits(waited=8.0, age=0.5)))
    assert not detection.findings
    assert "none for one lasting holder" in detection.reason


def test_a_wait_that_has_just_begun_is_looked_at_again() -> None:
    detection = lock_row_blocker.detect(readings(get_lock_waits=lock_waits(waited=0.4, age=1.0)))
    assert not detection.findings
    assert detection.look_again == pytest.approx(0.65)
    busy = lock_row_blocker.detect(readings(get_lock_waits=lock_waits(waited=0.4, age=1.0, idle=False)))
    assert busy.look_again == 0.0


@pytest.mark.parametrize(("idle_seconds", "found"), [(1.0, 0), (2.5, 1)])
def test_whole_seconds_do_not_tell_a_passing_holder_from_a_lasting_one(idle_seconds: float, found: int) -> None:
    answer = lock_waits()
    answer.row_lock_load = 6.0
    answer.holders[0].transaction.idle_seconds = idle_seconds
    assert len(lock_row_blocker.detect(readings(get_lock_waits=answer)).findings) == found


def test_metadata_locks_are_somebody_elses_finding() -> None:
    answer = lock_waits()
    answer.holders[0].kind = diagnostics_pb2.LOCK_KIND_METADATA
    assert not lock_row_blocker.detect(readings(get_lock_waits=answer)).findings


def test_without_the_privilege_row_locks_are_not_checked() -> None:
    answer = diagnostics_pb2.GetLockWaitsResponse()
    limited(answer, "process", "PRIVILEGE_MISSING")
    assert lock_row_blocker.detect(readings(get_lock_waits=answer)).not_checked


def test_waits_for_an_unseen_holder_are_not_called_clear() -> None:
    answer = diagnostics_pb2.GetLockWaitsResponse(
        waiters=[diagnostics_pb2.LockWaiter(kind=diagnostics_pb2.LOCK_KIND_ROW)]
    )
    limited(answer, "performance_schema", "PERFORMANCE_SCHEMA_OFF")
    detection = lock_row_blocker.detect(readings(get_lock_waits=answer))
    assert detection.not_checked
    assert "1 sessions wait" in detection.reason


# query.missing_index


def top_queries(**changes: object) -> diagnostics_pb2.ListTopQueriesResponse:
    query = diagnostics_pb2.QueryStats(
        statement=session_pb2.Statement(digest="d1", digest_text="SELECT * FROM lines WHERE sku = ?"),
        schema="orders",
        tables=["orders.lines"],
        calls=100,
        calls_per_second=5.0,
        load=0.4,
        rows_examined=5_000_000,
        rows_sent=100,
        no_index_used=100,
        unindexed_calls=100,
    )
    for name, value in changes.items():
        setattr(query, name, value)
    return diagnostics_pb2.ListTopQueriesResponse(window_seconds=20.0, queries=[query])


def test_missing_index() -> None:
    answer = top_queries()
    [finding] = query_missing_index.detect(readings(list_top_queries=answer)).findings
    check_against_the_catalogue(finding, {"list_top_queries": answer})
    assert "orders.lines reads 50000 rows a call to return or change 1.0" in finding.summary
    assert finding.severity == finding_pb2.SEVERITY_WARNING
    assert not finding.HasField("onset")


@pytest.mark.parametrize(
    "changes",
    [
        {"unindexed_calls": 0},
        {"rows_examined": 90_000},  # a small table
        {"rows_sent": 4_000_000},  # reads what it returns
        {"rows_sent": 0, "rows_affected": 4_000_000},  # or changes
        {"load": 0.01},  # hardly ever runs
    ],
)
def test_statements_that_an_index_would_not_help(changes: dict[str, object]) -> None:
    detection = query_missing_index.detect(readings(list_top_queries=top_queries(**changes)))
    assert not detection.findings
    assert detection.reason
    assert not detection.not_checked


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE lines SET seen = ? WHERE sku = ?",  # MySQL does not say that it used no index
        "DELETE FROM lines WHERE sku = ?",
    ],
)
def test_a_write_that_reads_far_more_than_it_changes(text: str) -> None:
    answer = top_queries(rows_sent=0, rows_affected=90, unindexed_calls=0, no_index_used=0)
    answer.queries[0].statement.digest_text = text
    assert query_missing_index.detect(readings(list_top_queries=answer)).findings


def test_a_count_of_few_rows_by_what_a_function_makes_of_a_value() -> None:
    answer = top_queries()
    answer.queries[0].statement.digest_text = "SELECT COUNT(*) FROM lines WHERE sku = CONCAT (...)"
    assert query_missing_index.detect(readings(list_top_queries=answer)).findings


def test_a_statement_that_means_to_read_everything_is_a_scan() -> None:
    answer = top_queries()
    answer.queries[0].statement.digest_text = "SELECT region, SUM(total) FROM lines GROUP BY region"
    assert not query_missing_index.detect(readings(list_top_queries=answer)).findings


def test_a_busy_statement_without_an_index_is_critical() -> None:
    [finding] = query_missing_index.detect(readings(list_top_queries=top_queries(load=3.0))).findings
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


def test_sampled_statements_are_not_judged() -> None:
    answer = top_queries()
    limited(answer, "statement_digests", "SAMPLED_ONLY")
    detection = query_missing_index.detect(readings(list_top_queries=answer))
    assert detection.not_checked
    assert "d1, with load 0.40" in detection.reason


# connections.leak

EXPORTER: Owner = ("orders_app", "10.0.0.9", "exporter")


def grown(*counts: int, reused: bool = False) -> History:
    """A sample a second up to now, with so many connections of one owner, all idle since they were opened."""
    history = History()
    for age, count in zip(range(len(counts) - 1, -1, -1), counts, strict=True):
        history.add_connections(ConnectionSample(NOW - age, {EXPORTER: count}))
    for number in range(counts[-1]):
        history.tracked[number] = TrackedConnection(EXPORTER, NOW - 5, NOW - 5, reused)
    return history


def connections(total: int, *, growth: int, limit: int = 200) -> diagnostics_pb2.GetConnectionsResponse:
    user, host, program = EXPORTER
    group = diagnostics_pb2.ConnectionGroup(
        user=user, host=host, program=program, total=total, idle=total, growth=growth, longest_idle_seconds=5.0
    )
    return diagnostics_pb2.GetConnectionsResponse(
        current=total, max_connections=limit, used_ratio=total / limit, groups=[group]
    )


def leak(history: History, answer: diagnostics_pb2.GetConnectionsResponse) -> Detection:
    return connections_leak.detect(readings(history, get_connections=answer))


def test_connections_that_are_opened_and_never_used_again_are_a_leak() -> None:
    answer = connections(70, growth=70)
    [finding] = leak(grown(0, 40, 50, 60, 70), answer).findings
    check_against_the_catalogue(finding, {"get_connections": answer})
    check_prose(finding)
    assert entities(finding) == {
        ("holder", "user"): ["orders_app"],
        ("holder", "host"): ["10.0.0.9"],
        ("holder", "program"): ["exporter"],
    }


def test_a_leak_that_has_come_to_rest_near_the_limit_is_still_told() -> None:
    [finding] = leak(grown(185, 185), connections(185, growth=0)).findings
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


@pytest.mark.parametrize(
    ("history", "answer"),
    [
        (grown(50, 50, 50, 50), connections(50, growth=0)),  # a quiet pool
        (grown(0, 40, 50, 60, 70, reused=True), connections(70, growth=70)),  # a pool that grows with its work
        (grown(185, 185, reused=True), connections(185, growth=0)),  # a pool that is too large, but used
        (grown(0, 20, 30, 40, *[40] * 61), connections(40, growth=40)),  # a pool that was filled a minute ago
        (grown(0, 4, 6, 8), connections(8, growth=8)),  # few
        (grown(0, 30, 5, 40, 9, 50, 12, 60), connections(60, growth=60)),  # comes and goes
    ],
)
def test_healthy_pools(history: History, answer: diagnostics_pb2.GetConnectionsResponse) -> None:
    detection = leak(history, answer)
    assert not detection.findings
    assert f"{answer.current} of 200 connections are in use" in detection.reason


def test_a_pool_that_has_just_been_filled_is_looked_at_again() -> None:
    assert leak(grown(0, 40), connections(40, growth=40)).look_again > 0
    assert leak(grown(0, 40, 40, 40, 40, 40), connections(40, growth=40)).look_again == 0


def test_connections_that_no_sample_has_seen_yet_count_as_unused() -> None:
    assert leak(grown(0, 0, 0), connections(40, growth=40)).look_again > 0


def test_nothing_sampled_yet_is_looked_at_again() -> None:
    detection = leak(History(), connections(40, growth=0))
    assert detection.not_checked
    assert detection.look_again > 0


@pytest.mark.parametrize("detect", [lock_row_blocker.detect, query_missing_index.detect, connections_leak.detect])
def test_what_could_not_be_read_is_not_checked(detect: Callable[[Readings], Detection]) -> None:
    failed = Readings({}, {"get_connections": StorexError(Reason.DATABASE_TIMEOUT)}, History(), NOW, NOW)
    detection = detect(failed)
    assert detection.not_checked
    assert detection.reason
