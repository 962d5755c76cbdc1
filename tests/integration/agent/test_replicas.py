"""A replica's trouble and its source's doing, put together across instances by what both name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from libs.core.errors import Reason, StorexError
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2, session_pb2
from storex.diagnostics.v1 import replication_pb2 as r
from storex.fleet.v1 import fleet_pb2
from tests.integration.agent.scripted import Mesh, running
from tests.unit.agent import answers
from tests.unit.agent.answers import entity, observation

PRIMARY, REPLICA, SECOND = (
    f"regions/eu-west-1/instances/{name}" for name in ("stock-1", "stock-1-replica", "stock-1-second")
)
TABLE, DIGEST, UUID = "warehouse.stock", "5ee1f00d", "3e11fa47-71ca-11e1-9e33-c80aa9429562"
_RUNNING = r.REPLICATION_THREAD_STATE_RUNNING


def lag_finding(table: str = TABLE, identifier: str = "lag") -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id=identifier,
        kind="replication.lag",
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.9,
        impact=1.0,
        summary=f"Channel default is 40 s behind its source; its applier is at work on {table}.",
        entities=[entity("affected", "channel", "default"), entity("affected", "table", table)],
    )


def write_finding(kind: str = "lock.unindexed_write", digest: str = DIGEST) -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id="write",
        kind=kind,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.9,
        impact=2.0,
        summary=f"A statement locks all of {TABLE} to change some of it.",
        entities=[entity("cause", "statement_digest", digest), entity("affected", "table", TABLE)],
    )


def replication(name: str, **changes: Any) -> r.GetReplicationResponse:
    channel = {
        "channel": "default",
        "source_host": "10.0.0.5",
        "source_port": 3306,
        "source_server_id": 7,
        "source_server_uuid": UUID,
        "receiver": _RUNNING,
        "applier": _RUNNING,
        "runs": True,
        "lag_seconds": 40.0,
        **changes,
    }
    work = r.ApplierWork(connection_id=5, state="Applying", seconds=9, table=TABLE)
    return r.GetReplicationResponse(
        observation=observation(name), is_replica=True, channels=[r.ReplicationChannel(**channel)], appliers=[work]
    )


def instance(name: str, **known: Any) -> fleet_pb2.StreamInstancesResponse:
    return fleet_pb2.StreamInstancesResponse(instance=fleet_pb2.Instance(name=name, labels={"service": "s"}, **known))


def writes(table: str = TABLE, verb: str = "UPDATE") -> d.ListTopQueriesResponse:
    def query(digest: str, text: str, rows: int, on: str) -> d.QueryStats:
        statement = session_pb2.Statement(digest=digest, digest_text=text)
        return d.QueryStats(statement=statement, tables=[on], calls=3, rows_affected=rows, total_seconds=12.0)

    return d.ListTopQueriesResponse(
        observation=observation(PRIMARY),
        window_seconds=80,
        queries=[
            query("aaaa", "SELECT * FROM `stock`", 0, TABLE),
            query(DIGEST, f"{verb} `stock` SET `pieces` = ?", 90_000, table),
            query("bbbb", "INSERT INTO `visits` VALUES (...)", 10_000, "warehouse.visits"),
        ],
    )


class World:
    """What the scripted mesh answers, by instance."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self.health: dict[str, list[finding_pb2.Finding]] = {REPLICA: [lag_finding()], PRIMARY: []}
        self.replication = {REPLICA: replication(REPLICA)}
        self.listed = [instance(PRIMARY, server_uuid=UUID, server_id=7), instance(REPLICA, server_uuid="another")]
        self.writes: d.ListTopQueriesResponse = writes()
        mesh.coordinator.answers.update(
            GetOverview=lambda request: answers.overview(request.name),
            GetHealth=lambda request: d.GetHealthResponse(health=self._health(request.name)),
            StreamHealth=lambda _: [d.StreamHealthResponse(health=self._health(name)) for name in self.health],
            GetReplication=lambda request: self.replication.get(
                request.name, r.GetReplicationResponse(observation=observation(request.name))
            ),
            StreamInstances=lambda _: self.listed,
            ListTopQueries=lambda request: self._writes(request.name),
            GetLockWaits=lambda request: answers.lock_waits(name=request.name),
            ListTransactions=lambda request: d.ListTransactionsResponse(observation=observation(request.name)),
        )

    def _health(self, name: str) -> d.InstanceHealth:
        return answers.health(*self.health[name], name=name)

    def _writes(self, name: str) -> d.ListTopQueriesResponse:
        return self.writes if name == PRIMARY else d.ListTopQueriesResponse(observation=observation(name))

    async def report(self, target: str = REPLICA, question: str = "why is the replica behind?") -> report_pb2.Report:
        return (await self.mesh.ask(target, question))[-1].report


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as mesh:
        yield World(mesh)


def causes(report: report_pb2.Report) -> list[tuple[str, str, list[str]]]:
    return [(cause.kind, cause.name, list(cause.also_on)) for cause in report.root_causes]


def cited(report: report_pb2.Report, link: report_pb2.CausalLink) -> set[tuple[str, str, str]]:
    shown = [report.evidence[place] for place in link.evidence_refs]
    return {(one.name, one.tool, one.value) for one in shown}


async def test_the_batch_on_the_primary_is_the_first_link_of_the_replicas_lag(world: World) -> None:
    report = await world.report()
    assert causes(report) == [("replication.lag", REPLICA, [])]
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    first = report.causal_chain[0]
    assert first.text == (
        f"On {PRIMARY}, which {REPLICA} replicates from, UPDATE {DIGEST} changed 90,000 rows of {TABLE} in 80 s,"
        " most of what is changed there; its replica has to follow."
    )
    assert {
        (REPLICA, "get_replication", UUID),
        (PRIMARY, "list_instances", UUID),
        (PRIMARY, "list_top_queries", DIGEST),
        (PRIMARY, "list_top_queries", "90000"),
    } <= cited(report, first)
    assert {PRIMARY, REPLICA} <= {item.name for item in report.checked}


@pytest.mark.parametrize("target", [REPLICA, "regions/eu-west-1"])
async def test_a_finding_of_the_primary_is_the_one_cause_and_the_lag_its_consequence(world: World, target: str) -> None:
    world.health[PRIMARY] = [write_finding()]
    report = await world.report(target)
    assert causes(report) == [("lock.unindexed_write", PRIMARY, [REPLICA])]
    link = report.causal_chain[-1]
    assert (link.cause, link.effect) == ("lock.unindexed_write", "replication.lag")
    assert REPLICA in link.text
    assert {name for name, _, _ in cited(report, link)} == {REPLICA}
    assert any((PRIMARY, "list_top_queries", DIGEST) in cited(report, other) for other in report.causal_chain)


async def test_what_the_primary_does_elsewhere_is_a_coincidence(world: World) -> None:
    world.health[PRIMARY] = [write_finding(digest="cccc"), answers.blocker_finding()]
    world.writes = writes(table="warehouse.parcels")
    report = await world.report()
    assert causes(report) == [("replication.lag", REPLICA, [])]
    assert not [link for link in report.causal_chain if PRIMARY in link.text]
    assert SOURCE_LIMIT not in limits(report)


async def test_a_schema_change_on_the_primary_is_told_with_its_time(world: World) -> None:
    world.writes = writes(verb="ALTER TABLE")
    report = await world.report()
    assert "changes the schema of warehouse.stock and took 12.0 s" in report.causal_chain[0].text


SOURCE_LIMIT = "SOURCE_NOT_SEEN"


def limits(report: report_pb2.Report) -> dict[str, str]:
    return {limit.code: limit.message for limit in report.limits}


async def test_a_primary_that_may_not_be_seen_is_said_to_be_so_and_not_asked(world: World) -> None:
    world.listed = [instance(REPLICA, server_uuid="another"), instance(SECOND, server_uuid="third", server_id=7)]
    report = await world.report()
    assert causes(report) == [("replication.lag", REPLICA, [])]
    assert "server_id 7, port 3306" in limits(report)[SOURCE_LIMIT]
    assert "10.0.0.5" not in limits(report)[SOURCE_LIMIT]
    asked = {getattr(request, "name", "") for _, request, _ in world.mesh.coordinator.calls}
    assert asked <= {REPLICA, "regions/eu-west-1", "regions/-"}


async def test_without_a_uuid_address_and_server_id_must_agree_and_single_one_out(world: World) -> None:
    address = {"host": "10.0.0.5", "port": 3306}
    world.replication[REPLICA] = replication(REPLICA, source_server_uuid="")
    world.listed = [instance(PRIMARY, server_id=7, **address), instance(SECOND, server_id=8, **address)]
    assert PRIMARY in (await world.report()).causal_chain[0].text
    world.listed = [instance(PRIMARY, server_id=7, **address), instance(SECOND, server_id=7, **address)]
    assert SOURCE_LIMIT in limits(await world.report()), "two that cannot be told apart"
    world.listed = [instance(PRIMARY, server_id=7, host="10.0.0.6", port=3306)]
    assert SOURCE_LIMIT in limits(await world.report()), "a server id alone says little"


async def test_a_primary_that_refuses_its_replica_is_named_by_its_own_cause(world: World) -> None:
    broken = lag_finding()
    broken.kind = "replication.error"
    broken.entities.append(entity("cause", "error_code", 1040))
    connecting = r.REPLICATION_THREAD_STATE_CONNECTING
    state = {"receiver": connecting, "runs": False, "receiver_error_code": 1040, "error_code": 1040}
    world.replication[REPLICA] = replication(REPLICA, **state)
    world.health[REPLICA] = [broken]
    full = answers.leak_finding()
    full.kind = "connections.exhausted"
    world.health[PRIMARY] = [full]
    report = await world.report(question="why does replication have an error?")
    assert causes(report) == [("connections.exhausted", PRIMARY, [REPLICA])]


async def test_a_primary_that_is_down_for_storex_too_is_told(world: World) -> None:
    broken = lag_finding()
    broken.kind = "replication.error"
    broken.entities.append(entity("cause", "error_code", 2003))
    connecting = r.REPLICATION_THREAD_STATE_CONNECTING
    state = {"receiver": connecting, "runs": False, "receiver_error_code": 2003, "error_code": 2003}
    world.replication[REPLICA] = replication(REPLICA, **state)
    world.health[REPLICA] = [broken]
    world.listed = [instance(PRIMARY, server_uuid=UUID, reason="DATABASE_UNREACHABLE"), instance(REPLICA)]
    world.mesh.coordinator.answers["GetHealth"] = lambda request: (
        d.GetHealthResponse(health=answers.health(broken, name=REPLICA))
        if request.name == REPLICA
        else StorexError(Reason.DATABASE_UNREACHABLE)
    )
    report = await world.report(question="why does replication have an error?")
    assert [(cause.kind, cause.name) for cause in report.root_causes] == [("replication.error", REPLICA)]
    assert f"{PRIMARY}, which {REPLICA} replicates from, does not answer Storex either" in report.causal_chain[0].text


async def test_two_replicas_of_one_primary_behind_on_the_same_table_are_told_once(world: World) -> None:
    world.health[SECOND] = [lag_finding()]
    world.replication[SECOND] = replication(SECOND)
    world.listed.append(instance(SECOND, server_uuid="third"))
    report = await world.report("regions/eu-west-1")
    assert causes(report) == [("replication.lag", REPLICA, [SECOND])]
    world.replication[SECOND] = replication(SECOND, source_server_uuid="of somebody else")
    assert len((await world.report("regions/eu-west-1")).root_causes) == 2


async def test_servers_that_replicate_from_each_other_do_not_explain_each_other_away(world: World) -> None:
    world.health[PRIMARY] = [lag_finding()]
    world.replication[PRIMARY] = replication(PRIMARY, source_server_uuid="another")
    world.writes = d.ListTopQueriesResponse(observation=observation(PRIMARY))
    report = await world.report("regions/eu-west-1")
    assert {(cause.kind, cause.name) for cause in report.root_causes} == {
        ("replication.lag", PRIMARY),
        ("replication.lag", REPLICA),
    }


OTHER = "regions/eu-west-1/instances/shop-1"


def _channel_lag(channel: str, table: str) -> finding_pb2.Finding:
    finding = lag_finding(table, f"lag {channel}")
    finding.entities[0].value = channel
    return finding


def _two_sources(world: World) -> None:
    """A replica with two channels behind, of which the source of the first shows why."""
    both = replication(REPLICA, channel="stock")
    both.channels.append(replication(REPLICA, channel="shop", source_server_uuid="the shop's").channels[0])
    world.replication[REPLICA] = both
    world.listed.append(instance(OTHER, server_uuid="the shop's"))
    world.health |= {REPLICA: [_channel_lag("stock", TABLE), _channel_lag("shop", "shop.orders")], OTHER: []}


async def test_of_two_channels_that_are_behind_each_has_a_reason_of_its_own(world: World) -> None:
    _two_sources(world)
    world.health[PRIMARY] = [write_finding()]
    report = await world.report()
    told = [("lock.unindexed_write", PRIMARY, [REPLICA]), ("replication.lag", REPLICA, [])]
    assert sorted(causes(report)) == told
    lag = next(cause for cause in report.root_causes if cause.kind == "replication.lag")
    assert ("affected", "channel", "shop") in {(e.role, e.type, e.value) for e in lag.entities}


async def test_a_write_is_told_of_the_channel_that_it_comes_by_alone(world: World) -> None:
    _two_sources(world)
    report = await world.report()
    assert causes(report) == [("replication.lag", REPLICA, [])] * 2
    assert len([link for link in report.causal_chain if PRIMARY in link.text]) == 1


async def test_a_replica_is_named_where_its_sources_cause_is_told_with_that_of_others(world: World) -> None:
    world.health = {OTHER: [write_finding()], PRIMARY: [write_finding()], REPLICA: [lag_finding()]}
    world.mesh.coordinator.answers["ListTopQueries"] = lambda _: world.writes
    report = await world.report("regions/eu-west-1")
    assert causes(report) == [("lock.unindexed_write", OTHER, [PRIMARY, REPLICA])]
    assert any(link.effect == "replication.lag" and REPLICA in link.text for link in report.causal_chain)


async def test_a_small_write_to_the_same_table_is_no_reason_to_lag(world: World) -> None:
    world.writes.queries[1].rows_affected = 12
    report = await world.report()
    assert causes(report) == [("replication.lag", REPLICA, [])]
    assert not [link for link in report.causal_chain if PRIMARY in link.text]
    world.health[PRIMARY] = [write_finding()]
    assert causes(await world.report()) == [("lock.unindexed_write", PRIMARY, [REPLICA])], (
        "a cause tells it all the same"
    )


async def test_a_small_change_of_the_schema_is_one(world: World) -> None:
    world.writes = writes(verb="ALTER TABLE")
    world.writes.queries[1].rows_affected = 0
    assert "changes the schema of warehouse.stock" in (await world.report()).causal_chain[0].text
