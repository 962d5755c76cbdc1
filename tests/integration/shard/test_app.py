"""The whole shard as it runs: `build`, a real channel, real tokens, a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import yaml

from libs.config import load_config
from libs.core.errors import Reason
from libs.identity import LocalIssuer
from libs.lab.accounts import STOREX_USER
from libs.lab.engines import RunningEngine
from libs.rpc.call import outgoing_metadata
from libs.rpc.channels import open_channel
from libs.rpc.process import ProcessSettings
from libs.rpc.status import error_from_rpc
from services.shard.app import App, build
from services.shard.config import ShardSettings
from storex.diagnostics.v1 import diagnostics_pb2, diagnostics_pb2_grpc
from storex.fleet.v1 import fleet_pb2, fleet_pb2_grpc
from tests.integration.shard.conftest import PASSWORD, REGION, write_inventory

pytestmark = pytest.mark.engine

DB_1, DB_2 = (f"regions/{REGION}/instances/db-{number}" for number in (1, 2))


@dataclass
class Shard:
    """A running shard and its clients' tokens."""

    app: App
    channel: grpc.aio.Channel
    issuer: LocalIssuer
    inventory: Path

    @property
    def diagnostics(self) -> diagnostics_pb2_grpc.DiagnosticsServiceAsyncStub:
        return diagnostics_pb2_grpc.DiagnosticsServiceStub(self.channel)

    @property
    def fleet(self) -> fleet_pb2_grpc.FleetServiceAsyncStub:
        return fleet_pb2_grpc.FleetServiceStub(self.channel)

    def as_user(self, *roles: str, teams: tuple[str, ...] = ("shop",)) -> tuple[tuple[str, str], ...]:
        """Metadata of a call that the coordinator passes on for a person."""
        user = self.issuer.issue_user("ada", teams, roles)
        return outgoing_metadata(authorization=user, relay=self.issuer.issue_service("coordinator"))

    def as_coordinator(self) -> tuple[tuple[str, str], ...]:
        own = self.issuer.issue_service("coordinator")
        return outgoing_metadata(authorization=own, relay=own)


@asynccontextmanager
async def running(inventory: Path) -> AsyncIterator[Shard]:
    config = load_config(inventory)
    issuer = LocalIssuer.open(config.state_dir)
    process = ProcessSettings(config, "127.0.0.1:0", inventory.parent / "unused-token", 0)
    async with (
        build(ShardSettings(process, config.regions[REGION])) as app,
        open_channel(f"127.0.0.1:{app.server.port}") as channel,
    ):
        yield Shard(app, channel, issuer, inventory)


@pytest.fixture
async def shard(engine: RunningEngine, tmp_path: Path) -> AsyncIterator[Shard]:
    """Two instances of one server: db-1 of the team shop, db-2 of payments."""
    async with running(write_inventory(tmp_path, engine, engine)) as started:
        yield started


async def reason_of(call: object) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc] # a unary call or a first read
    return error_from_rpc(caught.value).reason


async def test_health_of_the_callers_own_instance(shard: Shard) -> None:
    answer = await shard.diagnostics.GetHealth(
        diagnostics_pb2.GetHealthRequest(name=DB_1), metadata=shard.as_user("on-call")
    )
    assert answer.health.observation.name == DB_1
    assert dict(answer.health.labels) == {"service": "shop"}
    checked = {check.kind for check in answer.health.checks}
    assert {"lock.row_blocker", "query.missing_index", "connections.leak"} <= checked


async def test_another_teams_instance_is_not_there(shard: Shard) -> None:
    me = shard.as_user("on-call")
    for name in (DB_2, f"regions/{REGION}/instances/nowhere", "regions/us-east-1/instances/db-1"):
        call = shard.diagnostics.GetOverview(diagnostics_pb2.GetOverviewRequest(name=name), metadata=me)
        assert await reason_of(call) is Reason.RESOURCE_NOT_FOUND


async def test_only_the_coordinator_may_pass_calls_on(shard: Shard) -> None:
    user = shard.issuer.issue_user("ada", ["shop"], ["dba"])
    request = diagnostics_pb2.GetOverviewRequest(name=DB_1)
    direct = shard.diagnostics.GetOverview(request, metadata=outgoing_metadata(authorization=user))
    assert await reason_of(direct) is Reason.TOKEN_MISSING
    posing = outgoing_metadata(authorization=user, relay=shard.issuer.issue_service("agent"))
    assert await reason_of(shard.diagnostics.GetOverview(request, metadata=posing)) is Reason.TOKEN_INVALID


async def test_principals_are_clear_on_call_and_tokens_for_viewers(shard: Shard) -> None:
    request = diagnostics_pb2.GetConnectionsRequest(name=DB_1)
    clear = await shard.diagnostics.GetConnections(request, metadata=shard.as_user("on-call"))
    assert STOREX_USER in {group.user for group in clear.groups}
    tokens = await shard.diagnostics.GetConnections(request, metadata=shard.as_user("viewer"))
    assert {group.user[:4] for group in tokens.groups} == {"prn_"}


async def test_streams_show_what_the_caller_may_see(shard: Shard) -> None:
    async def names(metadata: tuple[tuple[str, str], ...], name: str) -> set[str]:
        stream = shard.diagnostics.StreamHealth(diagnostics_pb2.StreamHealthRequest(name=name), metadata=metadata)
        return {message.health.observation.name async for message in stream}

    assert await names(shard.as_user("on-call"), f"regions/{REGION}/instances/-") == {DB_1}
    assert await names(shard.as_user("dba", teams=()), "regions/-/instances/-") == {DB_1, DB_2}
    labelled = shard.diagnostics.StreamHealth(
        diagnostics_pb2.StreamHealthRequest(name=f"regions/{REGION}/instances/-", labels={"service": "other"}),
        metadata=shard.as_user("dba"),
    )
    assert [message async for message in labelled] == []


async def test_a_watch_tells_at_once_and_when_a_finding_opens_and_closes(shard: Shard, engine: RunningEngine) -> None:
    request = diagnostics_pb2.WatchHealthRequest(name=f"regions/{REGION}/instances/-", labels={"service": "shop"})
    stream = shard.diagnostics.WatchHealth(request, metadata=shard.as_user("on-call"), timeout=40)
    told = aiter(stream)
    first = (await anext(told)).health
    assert (first.observation.name, len(first.findings)) == (DB_1, 0)
    with engine.connect(autocommit=False) as holder, engine.connect() as waiter:
        holder.cursor().execute("UPDATE shop.carts SET total = 5 WHERE id = 1")
        waits = asyncio.create_task(
            asyncio.to_thread(waiter.cursor().execute, "UPDATE shop.carts SET total = 6 WHERE id = 1")
        )
        began = time.time()
        opened = (await anext(told)).health
        while not opened.findings:
            opened = (await anext(told)).health
        [finding] = opened.findings
        assert finding.kind == "lock.row_blocker"
        assert finding.onset.ToMicroseconds() / 1e6 == pytest.approx(began, abs=2.0)
        held_on = await shard.diagnostics.GetHealth(
            diagnostics_pb2.GetHealthRequest(name=DB_1), metadata=shard.as_user("on-call")
        )
        assert held_on.health.findings[0].onset == finding.onset
        await asyncio.to_thread(holder.rollback)
        await waits
        last = opened
        with suppress(TimeoutError):
            async with asyncio.timeout(20):
                while last.findings:
                    last = (await anext(told)).health
        assert [finding.summary for finding in last.findings] == []
    stream.cancel()


async def instances_once(shard: Shard, ready: Callable[[list[fleet_pb2.Instance]], bool]) -> list[fleet_pb2.Instance]:
    """The inventory as the coordinator reads it, once it is as expected, or as it is after ten seconds."""
    found: list[fleet_pb2.Instance] = []
    for _ in range(100):
        stream = shard.fleet.StreamInstances(
            fleet_pb2.StreamInstancesRequest(name=f"regions/{REGION}"), metadata=shard.as_coordinator()
        )
        found = [message.instance async for message in stream]
        if ready(found):
            break
        await asyncio.sleep(0.1)
    return found


def all_up(found: list[fleet_pb2.Instance]) -> bool:
    return all(one.health == fleet_pb2.HEALTH_UP for one in found)


async def test_the_coordinator_reads_the_inventory(shard: Shard, engine: RunningEngine) -> None:
    found = await instances_once(shard, all_up)
    assert [(one.name, one.team, one.domain) for one in found] == [(DB_1, "shop", "gdpr"), (DB_2, "payments", "gdpr")]
    assert {(one.engine, one.health, one.role) for one in found} == {
        (engine.kind, fleet_pb2.HEALTH_UP, fleet_pb2.ROLE_PRIMARY)
    }
    listed = await shard.fleet.ListInstances(
        fleet_pb2.ListInstancesRequest(name=f"regions/{REGION}", page_size=1), metadata=shard.as_coordinator()
    )
    assert [one.name for one in listed.instances] == [DB_1]
    assert listed.next_page_token


async def test_an_instance_is_added_and_removed_without_a_restart(shard: Shard) -> None:
    document = yaml.safe_load(shard.inventory.read_text())
    instances = document["regions"][REGION]["instances"]
    instances["db-3"] = {**instances.pop("db-2"), "team": "shop"}
    shard.inventory.write_text(yaml.safe_dump(document))
    wanted = [DB_1, f"regions/{REGION}/instances/db-3"]
    found = await instances_once(shard, lambda found: [one.name for one in found] == wanted and all_up(found))
    assert [one.name for one in found] == wanted
    request = diagnostics_pb2.GetOverviewRequest(name=wanted[1])
    assert (await shard.diagnostics.GetOverview(request, metadata=shard.as_user("viewer"))).max_connections > 0


async def test_a_broken_inventory_changes_nothing(shard: Shard) -> None:
    shard.inventory.write_text("regions: [")
    await asyncio.sleep(2.5)
    assert len(await instances_once(shard, all_up)) == 2


@pytest.fixture
def rotated(engine: RunningEngine) -> Iterator[str]:
    """The account's password is changed at the server, and changed back afterwards."""
    engine.execute("ALTER USER storex@'%%' IDENTIFIED BY %s", ["another one"])
    yield "another one"
    engine.execute("ALTER USER storex@'%%' IDENTIFIED BY %s", [PASSWORD])


async def test_a_rotated_password_needs_no_restart(engine: RunningEngine, rotated: str, tmp_path: Path) -> None:
    async with running(write_inventory(tmp_path, engine)) as shard:
        found = await instances_once(shard, lambda found: found[0].health == fleet_pb2.HEALTH_DOWN)
        assert (found[0].health, found[0].reason) == (fleet_pb2.HEALTH_DOWN, "DATABASE_ACCESS_DENIED")
        request = diagnostics_pb2.ListProcessesRequest(name=DB_1)
        refused = shard.diagnostics.ListProcesses(request, metadata=shard.as_user("viewer"))
        assert await reason_of(refused) is Reason.DATABASE_ACCESS_DENIED
        (tmp_path / "password").write_text(rotated)
        answer = await shard.diagnostics.ListProcesses(request, metadata=shard.as_user("viewer"))
        assert answer.total_count > 0


async def test_a_field_that_is_not_valid(shard: Shard) -> None:
    request = diagnostics_pb2.ListProcessesRequest(name=DB_1, page_size=-1)
    call = shard.diagnostics.ListProcesses(request, metadata=shard.as_user("viewer"))
    assert await reason_of(call) is Reason.REQUEST_INVALID
    wildcard = diagnostics_pb2.GetOverviewRequest(name=f"regions/{REGION}/instances/-")
    call2 = shard.diagnostics.GetOverview(wildcard, metadata=shard.as_user("viewer"))
    assert await reason_of(call2) is Reason.WILDCARD_NOT_ALLOWED
