"""Changes of tables that are under way: how they are told, and when others suffer from them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.maintenance import changed_table, list_maintenance
from services.shard.detectors.maintenance_ddl import detect
from services.shard.mysql.connection import Row
from services.shard.mysql.dialects import MARIADB, MYSQL, Dialect
from services.shard.mysql.statements import DIGEST_COUNTERS, Statement
from services.shard.sampler.history import (
    ActivitySample,
    DigestCounters,
    DigestKey,
    DigestSample,
    History,
    RunningStatement,
)
from services.shard.verdict.relations import explains
from services.shard.work.slowdown import slowdown_since
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, replication_pb2, session_pb2
from storex.diagnostics.v1 import maintenance_pb2 as m
from tests.clock import ManualClock
from tests.unit.shard.findings import check_against_the_catalogue, check_prose, entities, limited, readings
from tests.unit.shard.recorded import RecordedSource, process, view_of

# Which statements they are


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALTER TABLE products ADD COLUMN x BIGINT", ("ALTER TABLE", "products")),
        ("ALTER ONLINE TABLE IF EXISTS shop.products FORCE", ("ALTER TABLE", "shop.products")),
        ("OPTIMIZE LOCAL TABLE a, b", ("OPTIMIZE TABLE", "a")),
        ("ANALYZE TABLE `shop` . `a`", ("ANALYZE TABLE", "shop.a")),
        ("CREATE UNIQUE INDEX by_day ON visits (seen_on)", ("CREATE INDEX", "visits")),
        ("drop index by_day on shop.visits", ("DROP INDEX", "shop.visits")),
        ("SELECT * FROM alter_table", None),
        ("ALTER USER a", None),
        ("ALTER TABLE `order-items` FORCE", ("ALTER TABLE", "order-items")),
        ("ALTER TABLE `my-shop`.`orders` FORCE", ("ALTER TABLE", "my-shop.orders")),
        ("ALTER TABLE `my shop` . `a.b` FORCE", ("ALTER TABLE", "my shop.a.b")),
        ("ALTER TABLE `ärzte` FORCE", ("ALTER TABLE", "ärzte")),
        ("ALTER TABLE ? FORCE", ("ALTER TABLE", "")),
        ("TRUNCATE t", ("TRUNCATE TABLE", "t")),
        ("TRUNCATE `t`", ("TRUNCATE TABLE", "t")),
        ("TRUNCATE TABLE shop.t", ("TRUNCATE TABLE", "shop.t")),
        ("CREATE INDEX `a b` ON `t`(`c`)", ("CREATE INDEX", "t")),
        ("CREATE INDEX by_day USING BTREE ON visits (seen_on)", ("CREATE INDEX", "visits")),
        ("DROP INDEX IF EXISTS `a-b` ON `my-shop`.`t`", ("DROP INDEX", "my-shop.t")),
        ("CREATE TABLE a (id INT)", None),
        ("SELECT TRUNCATE(a, ?) FROM b", None),
        ("ALTER TABLESPACE a ADD DATAFILE ?", None),
        ("", None),
    ],
)
def test_what_is_done_to_which_table(text: str, expected: tuple[str, str] | None) -> None:
    assert changed_table(text) == expected


async def test_a_change_is_listed_with_who_does_it() -> None:
    rows: dict[Statement, list[Row]] = {
        Statement.PROCESSES: [
            process(7, command="Query", state="copy to tmp table", seconds=9.0, info="ALTER TABLE `lines` FORCE"),
            process(8, command="Query", state="Waiting for table metadata lock", info="OPTIMIZE TABLE shop.carts"),
            process(9, command="Query", user="system user", info="CREATE INDEX a ON lines (b)", seconds=30.0),
            process(10, command="Query", info="SELECT 1"),
            process(11, info=None),
        ],
        Statement.PROGRAMS: [{"connection_id": 7, "program": "migrate"}],
    }
    answer = await list_maintenance(view_of(RecordedSource(rows)), m.ListMaintenanceRequest())
    by_replica, change, waiting = answer.operations
    assert (change.session.connection_id, change.session.program, change.verb) == (7, "migrate", "ALTER TABLE")
    assert (change.table, change.running_seconds, change.waits_for_lock) == ("orders.lines", 9.0, False)
    assert not change.HasField("slowdown")
    assert (waiting.table, waiting.waits_for_lock, waiting.by_replication) == ("shop.carts", True, False)
    assert (by_replica.verb, by_replica.by_replication) == ("CREATE INDEX", True)


@pytest.mark.parametrize(("dialect", "seconds"), [(MYSQL, 4.0), (MARIADB, 7200.0)])
async def test_how_long_an_applier_has_been_at_it(dialect: Dialect, seconds: float) -> None:
    """MySQL tells how long ago the source began with it, which is hours on a replica that is behind."""
    text, history, now = "ALTER TABLE parcels FORCE", History(), ManualClock().monotonic()
    for age, digest_text in ((8.0, text), (6.0, "ALTER TABLE carts FORCE"), (4.0, text), (2.0, text)):
        running = RunningStatement("orders", "sx-1", digest_text, ("lines",), 9, 7200.0, None)
        history.add_activity(ActivitySample(now - age, (running,)))
    rows = {Statement.PROCESSES: [process(9, command="Query", user="system user", info=text, seconds=7200.0)]}
    source = RecordedSource(rows, dialect=dialect)
    [change] = (await list_maintenance(view_of(source, history=history), m.ListMaintenanceRequest())).operations
    assert (change.by_replication, change.running_seconds) == (True, seconds)
    [change] = (await list_maintenance(view_of(source), m.ListMaintenanceRequest())).operations
    assert change.running_seconds == (0.0 if dialect is MYSQL else seconds)


# What others cost


def counters(calls: int, seconds: float) -> DigestCounters:
    found = dict.fromkeys(DIGEST_COUNTERS, 0) | {"calls": calls, "total_picoseconds": round(seconds * 1e12)}
    return tuple(found[name] for name in DIGEST_COUNTERS)


def everything(_key: DigestKey) -> bool:
    return True


def test_slowdown_is_that_of_the_same_statements() -> None:
    one, two, new = ("shop", "one"), ("shop", "two"), ("shop", "new")
    samples = [
        DigestSample(80.0, {one: counters(900, 500.9), two: counters(90, 900.9)}),
        DigestSample(90.0, {one: counters(1000, 501.0), two: counters(100, 901.0)}),
        DigestSample(100.0, {one: counters(1100, 501.5), two: counters(110, 901.5), new: counters(50, 0.5)}),
    ]
    found = slowdown_since(samples, 95.0, everything)
    assert found is not None
    assert (found.calls, found.average_seconds, found.earlier_average_seconds) == (110, 0.009091, 0.001818)
    assert (found.factor, found.added_load, found.load) == (5.0, 0.08, 0.15)
    assert slowdown_since(samples, 95.0, lambda key: key == new) == m.Slowdown(load=0.05), "it has no earlier cost"
    assert slowdown_since([], 95.0, everything) is None
    assert slowdown_since(samples[:1], 75.0, everything) is None


def test_what_was_sampled_once_before_is_no_measure() -> None:
    """The mean since the server's start is made of whatever it did since."""
    one = ("shop", "one")
    samples = [
        DigestSample(90.0, {one: counters(1000, 1.0)}),
        DigestSample(95.0, {one: counters(1050, 41.0)}),
        DigestSample(100.0, {one: counters(1100, 81.0)}),
    ]
    assert slowdown_since(samples, 93.0, everything) == m.Slowdown(load=8.0), "one sample before"
    assert slowdown_since(samples, 80.0, everything) == m.Slowdown(load=8.0), "none"


def test_counters_that_were_reset_count_from_nothing() -> None:
    one = ("shop", "one")
    before = [DigestSample(70.0, {one: counters(500, 50.0)}), DigestSample(80.0, {one: counters(600, 60.0)})]
    reset = slowdown_since([*before, DigestSample(90.0, {one: counters(20, 2.0)})], 85.0, everything)
    assert reset is not None
    assert (reset.calls, reset.factor, reset.load) == (20, 1.0, 0.2)


# When others suffer


def change(**fields: Any) -> m.MaintenanceOperation:
    session = session_pb2.Session(connection_id=7, user="deployer", program="migrate", command="Query")
    known: dict[str, Any] = {
        "kind": m.MAINTENANCE_KIND_DDL,
        "session": session,
        "verb": "ALTER TABLE",
        "table": "shop.carts",
        "running_seconds": 30.0,
        "slowdown": m.Slowdown(calls=90, average_seconds=0.01, earlier_average_seconds=0.01, factor=1.0, load=0.2),
    }
    return m.MaintenanceOperation(**{**known, **fields})


def waits(number: int = 4, root: int = 7, seconds: float = 6.0) -> diagnostics_pb2.GetLockWaitsResponse:
    return diagnostics_pb2.GetLockWaitsResponse(
        waiters=[
            diagnostics_pb2.LockWaiter(
                session=session_pb2.Session(connection_id=20 + place),
                root_connection_id=root,
                kind=diagnostics_pb2.LOCK_KIND_METADATA,
                table="shop.carts",
                wait_seconds=seconds,
            )
            for place in range(number)
        ]
    )


def answers(*operations: m.MaintenanceOperation, **more: Message) -> dict[str, Any]:
    return {
        "list_maintenance": m.ListMaintenanceResponse(operations=operations or [change()]),
        "get_lock_waits": waits(0),
        "get_replication": replication_pb2.GetReplicationResponse(),
        **more,
    }


def found(given: dict[str, Any]) -> finding_pb2.Finding:
    [finding] = detect(readings(**given)).findings
    check_against_the_catalogue(finding, given)
    check_prose(finding)
    return finding


def test_a_change_that_others_wait_for() -> None:
    finding = found(answers(get_lock_waits=waits()))
    assert entities(finding) == {
        ("cause", "connection_id"): ["7"],
        ("cause", "user"): ["deployer"],
        ("cause", "program"): ["migrate"],
        ("victim", "connection_id"): ["20", "21", "22", "23"],
        ("affected", "table"): ["shop.carts"],
    }
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


def test_a_change_that_makes_others_slow() -> None:
    slow = m.Slowdown(calls=900, average_seconds=0.04, earlier_average_seconds=0.004, factor=10.0, added_load=3.2)
    assert "10.0 times" in found(answers(change(slowdown=slow))).summary


def test_a_change_that_a_replica_falls_behind_with() -> None:
    lag = replication_pb2.GetReplicationResponse(channels=[replication_pb2.ReplicationChannel(lag_seconds=40.0)])
    assert found(answers(change(by_replication=True), get_replication=lag)).kind == "maintenance.ddl"
    assert not detect(readings(**answers(get_replication=lag))).findings, "a client's change has not to do with it"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(answers(), id="nobody waits"),
        pytest.param(answers(get_lock_waits=waits(root=9)), id="they wait for another"),
        pytest.param(answers(get_lock_waits=waits(2, seconds=2.0)), id="few wait, not for long"),
        pytest.param(answers(change(waits_for_lock=True), get_lock_waits=waits()), id="it waits itself"),
        pytest.param(answers(change(slowdown=m.Slowdown(factor=10.0, added_load=0.2))), id="hardly felt"),
        pytest.param(answers(change(slowdown=m.Slowdown(factor=1.5, added_load=4.0))), id="hardly slower"),
        pytest.param(
            answers(change(running_seconds=1.0, slowdown=m.Slowdown(factor=9.0, added_load=4.0))), id="only begun"
        ),
        pytest.param({**answers(), "list_maintenance": m.ListMaintenanceResponse()}, id="none"),
    ],
)
def test_a_change_that_nobody_feels(given: dict[str, Any]) -> None:
    detection = detect(readings(**given))
    assert (detection.findings, detection.not_checked) == ((), False)
    assert detection.reason


@pytest.mark.parametrize(
    ("operation", "known"),
    [
        (m.Slowdown(load=0.9), True),
        (m.Slowdown(load=1.1), False),
        (m.Slowdown(load=4.0, factor=1.2), True),
        (None, False),
    ],
    ids=["hardly anybody is busy", "no measure", "measured", "not sampled"],
)
def test_whether_others_became_slower_has_to_be_known(operation: m.Slowdown | None, *, known: bool) -> None:
    detection = detect(readings(**answers(change(slowdown=operation))))
    assert (detection.findings, detection.not_checked) == ((), not known)
    assert known or "digests have to be on" in detection.reason
    begun = detect(readings(**answers(change(slowdown=operation, running_seconds=2.0))))
    assert not begun.not_checked


def test_what_cannot_be_seen_is_said() -> None:
    assert detect(readings()).not_checked
    assert detect(readings(**answers(get_lock_waits=waits(root=0)))).not_checked
    for source, code in (("process", "PRIVILEGE_MISSING"), ("processes", "READ_FAILED")):
        blind = m.ListMaintenanceResponse()
        limited(blind, source, code)
        assert detect(readings(**{**answers(), "list_maintenance": blind})).not_checked


# What it explains


def finding_of(kind: str, role: str, connection: str) -> finding_pb2.Finding:
    return finding_pb2.Finding(
        kind=kind, entities=[entity_pb2.Entity(role=role, type="connection_id", value=connection)]
    )


def test_the_lock_that_a_change_keeps_is_explained_by_it_and_that_of_another_is_not() -> None:
    cause = finding_of("maintenance.ddl", "cause", "7")
    assert explains(cause, finding_of("lock.metadata", "holder", "7"))
    assert not explains(cause, finding_of("lock.metadata", "holder", "8"))
    assert not explains(finding_of("lock.metadata", "holder", "7"), cause)


async def test_a_lock_that_was_made_stronger_without_showing_it_blocks() -> None:
    """As MariaDB shows a change of a table that copies it: still in the mode that it asked for first."""

    def lock(connection_id: int, mode: str, status: str) -> Row:
        return {
            "object_type": "TABLE",
            "schema_name": "shop",
            "object_name": "carts",
            "lock_type": mode,
            "lock_status": status,
            "connection_id": connection_id,
        }

    rows: dict[Statement, list[Row]] = {
        Statement.METADATA_LOCKS: [
            lock(7, "SHARED_UPGRADABLE", "GRANTED"),
            lock(8, "SHARED_READ", "GRANTED"),
            lock(9, "SHARED_WRITE", "PENDING"),
        ],
        Statement.PROCESSES: [process(7), process(8), process(9)],
    }
    answer = await get_lock_waits(view_of(RecordedSource(rows)), diagnostics_pb2.GetLockWaitsRequest())
    assert [(one.session.connection_id, one.root_connection_id) for one in answer.waiters] == [(9, 7)]
