"""Changes of tables that are under way: how they are told, and when others suffer from them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.maintenance import changed_table, list_maintenance
from services.shard.detectors.maintenance_ddl import detect
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, Statement
from services.shard.relations import explains
from services.shard.sampler.history import DigestCounters, DigestKey, DigestSample
from services.shard.slowdown import slowdown_since
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, replication_pb2, session_pb2
from storex.diagnostics.v1 import maintenance_pb2 as m
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
        ("CREATE TABLE a (id INT)", None),
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


# What others cost


def counters(calls: int, seconds: float) -> DigestCounters:
    found = dict.fromkeys(DIGEST_COUNTERS, 0) | {"calls": calls, "total_picoseconds": round(seconds * 1e12)}
    return tuple(found[name] for name in DIGEST_COUNTERS)


def everything(_key: DigestKey) -> bool:
    return True


def test_slowdown_is_that_of_the_same_statements() -> None:
    one, two, new = ("shop", "one"), ("shop", "two"), ("shop", "new")
    samples = [
        DigestSample(90.0, {one: counters(1000, 1.0), two: counters(100, 1.0)}),
        DigestSample(100.0, {one: counters(1100, 1.5), two: counters(110, 1.5), new: counters(50, 50.0)}),
    ]
    found = slowdown_since(samples, 95.0, everything)
    assert found is not None
    assert (found.calls, found.average_seconds, found.earlier_average_seconds) == (110, 0.009091, 0.001818)
    assert (found.factor, found.added_load) == (5.0, 0.08)
    assert slowdown_since(samples, 95.0, lambda key: key == new) is None, "what is new has no earlier cost"
    assert slowdown_since(samples, 91.0, everything) is None, "nobody watched before"
    assert slowdown_since([], 95.0, everything) is None


# When others suffer


def change(**fields: Any) -> m.MaintenanceOperation:
    session = session_pb2.Session(connection_id=7, user="deployer", program="migrate", command="Query")
    known: dict[str, Any] = {
        "kind": m.MAINTENANCE_KIND_DDL,
        "session": session,
        "verb": "ALTER TABLE",
        "table": "shop.carts",
        "running_seconds": 30.0,
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


def test_what_cannot_be_seen_is_said() -> None:
    assert detect(readings()).not_checked
    assert detect(readings(**answers(get_lock_waits=waits(root=0)))).not_checked
    blind = m.ListMaintenanceResponse()
    limited(blind, "process", "PRIVILEGE_MISSING")
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
