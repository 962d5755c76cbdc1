"""Snapshots after investigations, at a whole shard over a real channel: when they are made, and when not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from libs.core.errors import Reason
from libs.lab.engines import RunningEngine
from storex.snapshot.v1 import snapshot_pb2, snapshot_pb2_grpc
from tests.integration.shard.conftest import REGION, write_inventory
from tests.integration.shard.test_app import DB_1, DB_2, Shard, reason_of, running

pytestmark = pytest.mark.engine

AFTER = snapshot_pb2.SNAPSHOT_TRIGGER_INVESTIGATION
QUESTIONS = 50


@pytest.fixture
async def shard(engine: RunningEngine, tmp_path: Path) -> AsyncIterator[Shard]:
    """Two instances of one server, in a region that wants a snapshot after each investigation."""
    async with running(configured(write_inventory(tmp_path, engine, engine), after_investigation=True)) as started:
        yield started


def configured(inventory: Path, **snapshots: object) -> Path:
    document = yaml.safe_load(inventory.read_text())
    document["regions"][REGION]["snapshots"] = snapshots
    inventory.write_text(yaml.safe_dump(document))
    return inventory


async def after_investigation(shard: Shard, name: str = DB_1, role: str = "dba") -> snapshot_pb2.Snapshot:
    stub = snapshot_pb2_grpc.SnapshotServiceStub(shard.channel)
    request = snapshot_pb2.CreateSnapshotRequest(name=name, trigger=AFTER)
    return (await stub.CreateSnapshot(request, metadata=shard.as_user(role))).snapshot


async def kept(shard: Shard) -> list[snapshot_pb2.Snapshot]:
    stub = snapshot_pb2_grpc.SnapshotServiceStub(shard.channel)
    listed = snapshot_pb2.ListSnapshotsRequest(name=f"regions/{REGION}")
    return list((await stub.ListSnapshots(listed, metadata=shard.as_user("dba"))).snapshots)


async def test_fifty_questions_at_once_make_one_world_of_each_instance(shard: Shard) -> None:
    names = [DB_1 if number % 2 else DB_2 for number in range(QUESTIONS)]
    made = await asyncio.gather(*(after_investigation(shard, name) for name in names))
    assert {(one.instances[0], one.name) for one in made} == {(one.instances[0], one.name) for one in await kept(shard)}
    assert len(await kept(shard)) == 2
    assert {one.trigger for one in made} == {AFTER}
    again = await after_investigation(shard)
    assert again.name in {one.name for one in made}, "so soon no other one is made"


async def test_an_hour_has_room_for_so_many_and_one_on_demand_is_always_made(shard: Shard) -> None:
    configured(shard.inventory, after_investigation=True, most_an_hour=1)
    await asyncio.sleep(2.5)
    await after_investigation(shard, DB_1)
    with pytest.raises(Exception) as refused:  # noqa: PT011 - the reason is looked at
        await after_investigation(shard, DB_2)
    assert "at most 1 snapshots in an hour" in str(refused.value)
    stub = snapshot_pb2_grpc.SnapshotServiceStub(shard.channel)
    on_demand = snapshot_pb2.CreateSnapshotRequest(name=DB_2)
    assert (await stub.CreateSnapshot(on_demand, metadata=shard.as_user("dba"))).snapshot.name


async def test_an_hours_room_is_not_shared_out_twice_and_not_given_back_by_destroying(shard: Shard) -> None:
    configured(shard.inventory, after_investigation=True, most_an_hour=1)
    await asyncio.sleep(2.5)
    made = await asyncio.gather(*(after_investigation(shard, name) for name in (DB_1, DB_2)), return_exceptions=True)
    [one] = [each for each in made if isinstance(each, snapshot_pb2.Snapshot)]
    stub = snapshot_pb2_grpc.SnapshotServiceStub(shard.channel)
    await stub.DeleteSnapshot(snapshot_pb2.DeleteSnapshotRequest(name=one.name), metadata=shard.as_user("dba"))
    assert await reason_of(after_investigation(shard)) is Reason.SNAPSHOTS_ENOUGH
    assert not await kept(shard)


async def test_a_region_that_does_not_want_them_makes_none_and_who_may_not_gets_none(shard: Shard) -> None:
    assert await reason_of(after_investigation(shard, role="viewer")) is Reason.RPC_NOT_PERMITTED
    configured(shard.inventory)
    await asyncio.sleep(2.5)
    assert await reason_of(after_investigation(shard)) is Reason.SNAPSHOT_NOT_ENABLED
    assert not await kept(shard)
