"""InnoDB, capacity, logins and replication: what is a finding, and what only looks like one."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from services.shard.collectors.auto_increments import largest_number, list_auto_increments
from services.shard.collectors.replication import get_replication
from services.shard.detectors import (
    access_auth_failed,
    capacity_auto_increment,
    capacity_table_full,
    innodb_buffer_pool,
    innodb_flush_per_commit,
    innodb_purge_lag,
    replication_error,
    replication_lag,
    replication_stopped,
)
from services.shard.detectors.readings import Detection, Readings
from services.shard.mysql.statements import Statement
from storex.diagnostics.v1 import access_pb2, capacity_pb2, innodb_pb2, replication_pb2, session_pb2
from tests.unit.shard.findings import check_against_the_catalogue, check_prose, readings
from tests.unit.shard.recorded import RecordedSource, view_of

RUNNING = replication_pb2.REPLICATION_THREAD_STATE_RUNNING
STOPPED = replication_pb2.REPLICATION_THREAD_STATE_STOPPED


def purge(**changes: Any) -> Message:
    session = session_pb2.Session(connection_id=7, user="reports", program="notebook")
    view: dict[str, Any] = {"connection_id": 7, "age_seconds": 40.0, "idle": True, "session": session}
    view["isolation_level"] = "REPEATABLE READ"
    view |= {key: changes.pop(key) for key in ("age_seconds", "idle", "isolation_level") if key in changes}
    session.MergeFrom(session_pb2.Session(**{key: changes.pop(key) for key in ("seconds", "state") if key in changes}))
    answer: dict[str, Any] = {
        "history_list_length": 5_000,
        "read_views": 1,
        "oldest_view": session_pb2.Transaction(**view),
    }
    return innodb_pb2.GetPurgeStateResponse(**{**answer, **changes})


def commits(**changes: Any) -> Message:
    answer: dict[str, Any] = {
        "variable": "innodb_flush_log_at_trx_commit",
        "commits_per_second": 300.0,
        "rows_per_commit": 1.0,
        "committing_sessions": 1.2,
        "active_sessions": 1.5,
        "window_seconds": 6.0,
    }
    return innodb_pb2.GetCommitStateResponse(**{**answer, **changes})


def pool(**changes: Any) -> Message:
    answer: dict[str, Any] = {
        "variable": "innodb_buffer_pool_size",
        "size_bytes": 2**27,
        "pages_total": 8192,
        "pages_free": 1024,
        "requests_per_second": 20_000.0,
        "reads_per_second": 400.0,
        "hit_ratio": 0.98,
        "reads_since_full": 9.0,
        "window_seconds": 6.0,
    }
    return innodb_pb2.GetBufferPoolResponse(**{**answer, **changes})


def column(**changes: Any) -> Message:
    answer: dict[str, Any] = {
        "table": "shop.views",
        "largest": 127,
        "next": 128,
        "used_ratio": 1.0,
        "inserts": 9,
        "failed_inserts": 9,
    }
    one = capacity_pb2.AutoIncrement(**{**answer, **changes})
    return capacity_pb2.ListAutoIncrementsResponse(columns=[one], window_seconds=6.0)


def table(**changes: Any) -> Message:
    answer: dict[str, Any] = {"table": "shop.cache", "used_ratio": 1.1, "inserts": 9, "failed_inserts": 9}
    return capacity_pb2.ListTableLimitsResponse(
        tables=[capacity_pb2.TableLimit(**{**answer, **changes})], window_seconds=6.0
    )


def logins(**changes: Any) -> Message:
    groups = [access_pb2.FailedLoginGroup(user="importer", host="10.0.0.9", failed=12)]
    answer: dict[str, Any] = {
        "failed": 12,
        "failed_per_second": 0.8,
        "seconds_with_failures": 0.7,
        "window_seconds": 15.0,
    }
    return access_pb2.GetFailedLoginsResponse(groups=groups, **{**answer, **changes})


def channel(work: bool = False, growth: float = 0.0, **changes: Any) -> Message:
    answer: dict[str, Any] = {"channel": "default", "runs": True, "receiver": RUNNING, "applier": RUNNING}
    busy = [replication_pb2.ApplierWork(connection_id=5, table="shop.prices", table_without_key=True)] if work else []
    return replication_pb2.GetReplicationResponse(
        is_replica=True,
        channels=[replication_pb2.ReplicationChannel(**{**answer, **changes})],
        appliers=busy,
        lag_growth=growth,
        window_seconds=10.0,
    )


def _read(detector: Any, answer: Message) -> Readings:
    answers: dict[str, Any] = {detector.TOOL: answer}
    return readings(**answers)


HALTED: dict[str, Any] = {"runs": False, "applier": STOPPED, "stopped_thread": "applier"}
BROKEN: dict[str, Any] = {**HALTED, "applier_error_code": 1062, "error_code": 1062}


@pytest.mark.parametrize(
    ("detector", "answer"),
    [
        (innodb_purge_lag, purge()),
        (innodb_purge_lag, purge(idle=False, seconds=30.0, state="User sleep")),
        (innodb_purge_lag, purge(idle=False, seconds=90.0, age_seconds=95.0, history_list_length=50_000)),
        (
            innodb_purge_lag,
            purge(
                idle=False, seconds=90.0, age_seconds=95.0, history_list_length=50_000, isolation_level="READ COMMITTED"
            ),
        ),
        (innodb_flush_per_commit, commits()),
        (innodb_buffer_pool, pool()),
        (capacity_auto_increment, column()),
        (capacity_table_full, table()),
        (access_auth_failed, logins()),
        (replication_stopped, channel(**HALTED)),
        (replication_error, channel(**BROKEN)),
        (replication_lag, channel(lag_seconds=40.0)),
        (replication_lag, channel(work=True, lag_seconds=3.0)),
    ],
)
def test_a_fault_is_found_with_all_that_a_report_has_to_cite(detector: Any, answer: Message) -> None:
    detection: Detection = detector.detect(_read(detector, answer))
    [finding] = detection.findings
    assert finding.kind == detector.KIND
    check_against_the_catalogue(finding, {detector.TOOL: answer})
    check_prose(finding)


@pytest.mark.parametrize(
    ("detector", "answer"),
    [
        (innodb_purge_lag, purge(age_seconds=2.0)),
        (innodb_purge_lag, purge(history_list_length=40)),
        (innodb_purge_lag, purge(idle=False)),
        (innodb_purge_lag, purge(idle=False, seconds=90.0, age_seconds=95.0)),
        (innodb_purge_lag, purge(idle=False, seconds=2.0, age_seconds=95.0, history_list_length=50_000)),
        (innodb_purge_lag, purge(isolation_level="READ COMMITTED")),
        (innodb_purge_lag, purge(read_views=0)),
        (innodb_flush_per_commit, commits(variable="")),
        (innodb_flush_per_commit, commits(commits_per_second=20.0)),
        (innodb_flush_per_commit, commits(rows_per_commit=500.0)),
        (innodb_flush_per_commit, commits(active_sessions=12.0)),
        (innodb_buffer_pool, pool(reads_since_full=0.9)),
        (innodb_buffer_pool, pool(pages_free=6_000)),
        (innodb_buffer_pool, pool(read_ahead_per_second=3_000.0)),
        (innodb_buffer_pool, pool(reads_per_second=20.0)),
        (capacity_auto_increment, column(next=90, remaining=38, used_ratio=0.7, failed_inserts=0)),
        (capacity_auto_increment, column(next=127, remaining=1, used_ratio=0.99, inserts=0, failed_inserts=0)),
        (capacity_table_full, table(failed_inserts=0)),
        (capacity_table_full, table(used_ratio=0.5)),
        (access_auth_failed, logins(failed=2)),
        (access_auth_failed, logins(seconds_with_failures=0.07)),
        (replication_stopped, channel(**BROKEN)),
        (replication_error, channel(**HALTED)),
        (replication_lag, channel(lag_seconds=4.0)),
        (replication_lag, channel(lag_seconds=40.0, growth=-8.0)),
        (replication_lag, channel(lag_seconds=65.0, delay_seconds=60.0)),
        (replication_lag, channel()),
    ],
)
def test_what_only_looks_like_a_fault_is_clear_and_says_why(detector: Any, answer: Message) -> None:
    detection: Detection = detector.detect(_read(detector, answer))
    assert not detection.findings
    assert detection.reason


def test_a_lag_that_the_server_does_not_know_is_not_checked() -> None:
    assert replication_lag.detect(readings(get_replication=channel())).not_checked


@pytest.mark.parametrize(
    ("column_type", "largest"),
    [("tinyint(4)", 127), ("smallint unsigned", 65_535), ("int", 2**31 - 1), ("bigint(20) unsigned", 2**64 - 1)],
)
def test_the_largest_number_of_a_type(column_type: str, largest: int) -> None:
    assert largest_number(column_type) == largest
    assert largest_number("varchar(9)") is None


async def test_an_exhausted_column_has_nothing_left() -> None:
    row = {"schema_name": "shop", "table_name": "views", "column_name": "id", "column_type": "int(11)"}
    source = RecordedSource({Statement.AUTO_INCREMENTS: [{**row, "next_number": 2_147_483_648}]})
    answer = await list_auto_increments(view_of(source), capacity_pb2.ListAutoIncrementsRequest())
    [one] = answer.columns
    assert (one.table, one.remaining, one.used_ratio) == ("shop.views", 0, 1.0)


@pytest.mark.parametrize(("side", "other"), [("slave", "master"), ("replica", "source")])
async def test_both_engines_names_are_read_and_an_unknown_lag_stays_unknown(side: str, other: str) -> None:
    row = {
        f"{side}_io_running": "Yes",
        f"{side}_sql_running": "No",
        f"seconds_behind_{other}": None,
        f"{other}_host": "10.0.0.1",
        "last_sql_errno": 1062,
        "last_sql_error": "Duplicate entry 'Ada' for key 'PRIMARY'",
    }
    answer = await get_replication(
        view_of(RecordedSource({Statement.REPLICA_STATUS: [row]})), replication_pb2.GetReplicationRequest()
    )
    [one] = answer.channels
    assert (one.channel, one.receiver, one.applier, one.error_code) == ("default", RUNNING, STOPPED, 1062)
    assert not one.HasField("lag_seconds")
    assert "Ada" not in str(answer)
