"""Snapshots of a whole shard over a real channel: made, asked, refused, exported, destroyed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from libs.core.errors import Reason
from libs.lab.engines import RunningEngine
from libs.rpc.call import SNAPSHOT
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2
from storex.history.v1 import history_pb2, history_pb2_grpc
from storex.snapshot.v1 import snapshot_pb2, snapshot_pb2_grpc
from tests.integration.shard.conftest import REGION, write_inventory
from tests.integration.shard.test_app import DB_1, DB_2, Shard, reason_of, running

pytestmark = pytest.mark.engine

Metadata = tuple[tuple[str, str], ...]


@dataclass
class World:
    """A shard with a snapshot of its first instance."""

    shard: Shard
    name: str

    @property
    def stub(self) -> snapshot_pb2_grpc.SnapshotServiceAsyncStub:
        return snapshot_pb2_grpc.SnapshotServiceStub(self.shard.channel)

    @property
    def folder(self) -> Path:
        return self.shard.inventory.parent / ".storex" / "shards" / REGION / "snapshots"

    def asked_by(self, *roles: str, teams: tuple[str, ...] = ("shop",)) -> Metadata:
        return (*self.shard.as_user(*roles, teams=teams), (SNAPSHOT, self.name))

    async def export(self, *, plain: bool) -> Path:
        request = snapshot_pb2.ExportSnapshotRequest(name=self.name, plain=plain)
        made = await self.stub.ExportSnapshot(request, metadata=self.shard.as_user("dba"))
        return self.folder / "exports" / made.file_name

    async def take_in(self, copy: Path) -> snapshot_pb2.Snapshot:
        shutil.copyfile(copy, self.folder / "imports" / copy.name)
        request = snapshot_pb2.ImportSnapshotRequest(name=DB_1, file_name=copy.name)
        return (await self.stub.ImportSnapshot(request, metadata=self.shard.as_user("dba"))).snapshot


@pytest.fixture
async def world(engine: RunningEngine, tmp_path: Path) -> AsyncIterator[World]:
    """Two instances of one server, db-1 of the team shop and db-2 of payments, and a snapshot of db-1."""
    async with running(write_inventory(tmp_path, engine, engine)) as shard:
        await asyncio.sleep(2.5)
        stub = snapshot_pb2_grpc.SnapshotServiceStub(shard.channel)
        request = snapshot_pb2.CreateSnapshotRequest(name=DB_1)
        made = (await stub.CreateSnapshot(request, metadata=shard.as_user("on-call"))).snapshot
        assert made.name.startswith(f"{DB_1}/snapshots/")
        assert made.took_seconds < 1.5
        # What a busy machine leaves no time for is named, and nothing else.
        assert {limit.code for limit in made.limits} <= {"NOT_CAPTURED"}
        yield World(shard, made.name)


def configure(world: World, **settings: object) -> None:
    document = yaml.safe_load(world.shard.inventory.read_text())
    document["regions"][REGION] |= settings
    world.shard.inventory.write_text(yaml.safe_dump(document))


async def test_a_snapshot_answers_in_the_place_of_an_instance_that_went_on(world: World, engine: RunningEngine) -> None:
    me = world.asked_by("on-call")
    request = diagnostics_pb2.ListVariablesRequest(name=DB_1, prefix="long_query_time")
    before = await world.shard.diagnostics.ListVariables(request, metadata=me)
    known = before.variables[0].value
    engine.execute("SET GLOBAL long_query_time = 7.5")
    try:
        live = await world.shard.diagnostics.ListVariables(request, metadata=world.shard.as_user("on-call"))
        replayed = await world.shard.diagnostics.ListVariables(request, metadata=me)
    finally:
        engine.execute(f"SET GLOBAL long_query_time = {known}")
    assert live.variables[0].value.startswith("7.5")
    assert replayed == before
    assert (replayed.observation.snapshot, live.observation.snapshot) == (world.name, "")
    assert not known.startswith("7.5")


async def test_health_and_history_of_a_snapshot_are_always_the_same(world: World) -> None:
    me = world.asked_by("on-call")
    health = diagnostics_pb2.GetHealthRequest(name=DB_1)
    metric = history_pb2.GetMetricHistoryRequest(name=DB_1, metric="queries_per_second")
    history = history_pb2_grpc.HistoryServiceStub(world.shard.channel)
    first = (
        await world.shard.diagnostics.GetHealth(health, metadata=me),
        await history.GetMetricHistory(metric, metadata=me),
    )
    await asyncio.sleep(1.2)
    again = (
        await world.shard.diagnostics.GetHealth(health, metadata=me),
        await history.GetMetricHistory(metric, metadata=me),
    )
    assert again == first
    assert first[0].health.checks
    assert first[1].points


async def test_wildcards_and_lists_know_of_nothing_but_what_was_recorded(world: World) -> None:
    me = world.asked_by("dba")
    stream = world.shard.diagnostics.StreamHealth(diagnostics_pb2.StreamHealthRequest(name="regions/-"), metadata=me)
    assert [message.health.observation.name async for message in stream] == [DB_1]
    listed = await world.shard.fleet.ListInstances(
        fleet_pb2.ListInstancesRequest(name=f"regions/{REGION}"), metadata=me
    )
    assert [(one.name, one.health) for one in listed.instances] == [(DB_1, fleet_pb2.HEALTH_UP)]
    other = world.shard.diagnostics.GetOverview(diagnostics_pb2.GetOverviewRequest(name=DB_2), metadata=me)
    assert await reason_of(other) is Reason.NOT_CAPTURED
    watch = world.shard.diagnostics.WatchHealth(diagnostics_pb2.WatchHealthRequest(name=DB_1), metadata=me)
    assert await reason_of(anext(aiter(watch))) is Reason.NOT_CAPTURED


async def test_who_may_not_read_snapshots_learns_nothing_of_them(world: World) -> None:
    overview = diagnostics_pb2.GetOverviewRequest(name=DB_1)
    viewer = world.shard.diagnostics.GetOverview(overview, metadata=world.asked_by("viewer"))
    assert await reason_of(viewer) is Reason.RESOURCE_NOT_FOUND
    foreign = (SNAPSHOT, world.name)
    payments = (*world.shard.as_user("on-call", teams=("payments",)), foreign)
    call = world.shard.diagnostics.GetOverview(diagnostics_pb2.GetOverviewRequest(name=DB_2), metadata=payments)
    assert await reason_of(call) is Reason.RESOURCE_NOT_FOUND
    get = world.stub.GetSnapshot(snapshot_pb2.GetSnapshotRequest(name=world.name), metadata=payments[:-1])
    assert await reason_of(get) is Reason.RESOURCE_NOT_FOUND
    listed = snapshot_pb2.ListSnapshotsRequest(name=f"regions/{REGION}")
    assert not (await world.stub.ListSnapshots(listed, metadata=payments[:-1])).snapshots
    mine = await world.stub.ListSnapshots(listed, metadata=world.shard.as_user("on-call"))
    assert [one.name for one in mine.snapshots] == [world.name]
    delete = snapshot_pb2.DeleteSnapshotRequest(name=world.name)
    on_call = world.shard.as_user("on-call")
    assert await reason_of(world.stub.DeleteSnapshot(delete, metadata=on_call)) is Reason.RPC_NOT_PERMITTED


async def test_principals_of_a_snapshot_are_tokens_to_whom_they_are_live(world: World) -> None:
    request = diagnostics_pb2.GetConnectionsRequest(name=DB_1)
    evaluator = await world.shard.diagnostics.GetConnections(request, metadata=world.asked_by("evaluator"))
    assert evaluator.groups
    assert {group.user[:4] for group in evaluator.groups} == {"prn_"}


async def test_nothing_is_written_through_a_snapshot(world: World) -> None:
    me = world.asked_by("dba")
    history = history_pb2_grpc.HistoryServiceStub(world.shard.channel)
    event = history_pb2.PostDeployEventRequest(name=DB_1, event=history_pb2.DeployEvent(service="shop"))
    assert await reason_of(history.PostDeployEvent(event, metadata=me)) is Reason.SNAPSHOT_READ_ONLY
    create = snapshot_pb2.CreateSnapshotRequest(name=DB_1)
    assert await reason_of(world.stub.CreateSnapshot(create, metadata=me)) is Reason.SNAPSHOT_READ_ONLY


async def test_a_destroyed_snapshot_is_gone_from_caches_and_from_its_exports(world: World) -> None:
    me = world.asked_by("dba")
    overview = diagnostics_pb2.GetOverviewRequest(name=DB_1)
    await world.shard.diagnostics.GetOverview(overview, metadata=me)  # it is open now
    copy = await world.export(plain=False)
    again = await world.take_in(copy)
    assert again.trigger == snapshot_pb2.SNAPSHOT_TRIGGER_IMPORT
    gone = snapshot_pb2.DeleteSnapshotRequest(name=world.name)
    await world.stub.DeleteSnapshot(gone, metadata=world.shard.as_user("dba"))
    asked = world.shard.diagnostics.GetOverview(overview, metadata=me)
    assert await reason_of(asked) is Reason.SNAPSHOT_KEY_DESTROYED
    viewer = world.shard.diagnostics.GetOverview(overview, metadata=world.asked_by("viewer"))
    assert await reason_of(viewer) is Reason.RESOURCE_NOT_FOUND, "who may not read snapshots learns nothing of it"
    of_copy = (*world.shard.as_user("dba"), (SNAPSHOT, again.name))
    taken_in = world.shard.diagnostics.GetOverview(overview, metadata=of_copy)
    assert await reason_of(taken_in) is Reason.SNAPSHOT_KEY_DESTROYED, "what was taken in from its copy goes with it"
    assert not list(world.folder.glob("*.key"))
    with pytest.raises(Exception) as refused:  # noqa: PT011 - the reason is looked at
        await world.take_in(copy)
    assert "SNAPSHOT_KEY_DESTROYED" in str(refused.value) or "has been destroyed" in str(refused.value)


async def test_a_snapshot_is_made_when_a_finding_opens_where_that_is_wanted(
    world: World, engine: RunningEngine
) -> None:
    configure(world, snapshots={"on_finding": True})
    await asyncio.sleep(2.5)
    listed = snapshot_pb2.ListSnapshotsRequest(name=DB_1)
    with engine.connect() as holder, engine.connect() as waiter:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("UPDATE shop.carts SET total = total + 1 WHERE id = 3")

        def wait() -> None:
            with waiter.cursor() as cursor:
                cursor.execute("UPDATE shop.carts SET total = 9 WHERE id = 3")

        waiting = asyncio.create_task(asyncio.to_thread(wait))
        try:
            for _ in range(60):
                await asyncio.sleep(0.5)
                found = await world.stub.ListSnapshots(listed, metadata=world.shard.as_user("on-call"))
                if len(found.snapshots) > 1:
                    break
        finally:
            holder.rollback()
            await waiting
            waiter.rollback()
    assert found.snapshots[0].trigger == snapshot_pb2.SNAPSHOT_TRIGGER_FINDING
    health = await world.shard.diagnostics.GetHealth(
        diagnostics_pb2.GetHealthRequest(name=DB_1),
        metadata=(*world.shard.as_user("on-call"), (SNAPSHOT, found.snapshots[0].name)),
    )
    assert "lock.row_blocker" in {finding.kind for finding in health.health.findings}


async def test_only_a_lab_writes_and_reads_copies_in_plain(world: World, engine: RunningEngine) -> None:
    request = snapshot_pb2.ExportSnapshotRequest(name=world.name, plain=True)
    refused = world.stub.ExportSnapshot(request, metadata=world.shard.as_user("dba"))
    assert await reason_of(refused) is Reason.SNAPSHOT_NOT_ENABLED
    configure(world, lab=True)
    await asyncio.sleep(2.5)
    copy = await world.export(plain=True)
    gone = snapshot_pb2.DeleteSnapshotRequest(name=world.name)
    await world.stub.DeleteSnapshot(gone, metadata=world.shard.as_user("dba"))
    again = await world.take_in(copy)
    answer = await world.shard.diagnostics.GetOverview(
        diagnostics_pb2.GetOverviewRequest(name=DB_1),
        metadata=(*world.shard.as_user("dba"), (SNAPSHOT, again.name)),
    )
    assert answer.engine.casefold() == engine.kind.casefold()
    assert b"carts" not in next(world.folder.glob("*.world")).read_bytes(), "at rest it is sealed again"
