"""Making, keeping and opening snapshots: within bounds of time, age, count and size, and when the key rotates."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from libs.config import SnapshotConfig
from libs.core.clock import SystemClock
from libs.core.errors import Reason, StorexError
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.worlds.capture import LONGEST, Subject, capture
from services.shard.worlds.keys import FileKeys, new_key_line
from services.shard.worlds.replay import Replay
from services.shard.worlds.store import Kept, WorldStore
from services.shard.worlds.worlds import Settings, Worlds
from storex.snapshot.v1 import snapshot_pb2
from tests.clock import ManualClock
from tests.unit.shard.recorded import RecordedSource, process, view_of

DEMAND = snapshot_pb2.SNAPSHOT_TRIGGER_DEMAND
FINDING = snapshot_pb2.SNAPSHOT_TRIGGER_FINDING
IMPORT = snapshot_pb2.SNAPSHOT_TRIGGER_IMPORT


class Hanging(RecordedSource):
    """Some statements never come back."""

    def __init__(self, *hanging: Statement) -> None:
        super().__init__({Statement.PROCESSES: [process(7)]})
        self._hanging = hanging

    async def read(self, *statements: Statement) -> ResultSets:
        if set(statements) & set(self._hanging):
            await asyncio.sleep(60)
        return await super().read(*statements)


def subject(source: RecordedSource | None = None) -> Subject:
    view = view_of(source or RecordedSource({Statement.PROCESSES: [process(7)]}))
    return Subject(replace(view, clock=SystemClock()), {"service": "orders"}, ("127.0.0.1", 3306), b"")


@dataclass
class Region:
    """The snapshots of a region under settings that a test changes."""

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    snapshots: SnapshotConfig = field(default_factory=SnapshotConfig)
    lab: bool = False

    def __post_init__(self) -> None:
        self.clock.seconds = time.time()
        self.keys = FileKeys(self.folder / "keys", self.clock)
        self.store = WorldStore(self.folder / "worlds")
        self.worlds = Worlds(self.store, self.keys, lambda: Settings(self.snapshots, lab=self.lab), self.clock)

    async def make(self, number: int) -> list[Kept]:
        return [await self.worlds.create(subject(), [], DEMAND) for _ in range(number)]


@pytest.fixture
async def region(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Region]:
    monkeypatch.setattr("services.shard.worlds.capture.DEAR_UNTIL", 0.01)
    found = Region(tmp_path)
    yield found
    await found.worlds.close()


async def test_a_server_that_hangs_costs_what_it_hides_and_no_more_time() -> None:
    began = time.monotonic()
    world = await capture(subject(Hanging(Statement.TABLE_SIZES, Statement.DIGESTS)), [])
    assert time.monotonic() - began < LONGEST + 1.0
    assert {limit.source for limit in world.limits()} >= {"table_sizes", "digests"}
    assert {limit.code for limit in world.limits()} == {"NOT_CAPTURED"}
    assert len(world.subject.looks) == 2
    assert world.subject.looks[-1].rows[Statement.PROCESSES][0]["connection_id"] == 7


async def test_a_server_that_does_not_answer_is_recorded_as_one_that_does_not(region: Region) -> None:
    down = RecordedSource({}, failure=StorexError(Reason.DATABASE_UNREACHABLE))
    kept = await region.worlds.create(subject(down), [], DEMAND)
    replay = Replay(await region.worlds.open(kept.header.resource_name))
    view = replay.get(kept.header.resource_name.instance_name).view
    with pytest.raises(StorexError) as caught:
        await view.source.read(Statement.PROCESSES)
    assert caught.value.reason is Reason.DATABASE_UNREACHABLE
    assert "DATABASE_UNREACHABLE" in kept.header.limits[0]["message"]


async def test_what_was_not_captured_is_told_and_counted(region: Region) -> None:
    kept = await region.worlds.create(subject(Hanging(Statement.DIGESTS)), [], DEMAND)
    replay = Replay(await region.worlds.open(kept.header.resource_name))
    view = replay.get(kept.header.resource_name.instance_name).view
    results = await view.source.read(Statement.DIGESTS, Statement.PROCESSES)
    assert [(limit.source, limit.code) for limit in results.limits()] == [("digests", "NOT_CAPTURED")]
    with pytest.raises(StorexError):
        await view.archive.ask(lambda store: store.span("x"))  # type: ignore[union-attr] # a replay always has one
    assert list(replay.missed.sources) == ["digests", "history"]


async def test_the_newest_are_kept_by_count_and_by_size(region: Region) -> None:
    made = await region.make(4)
    region.snapshots = SnapshotConfig(keep_count=3)
    region.worlds.tidy()
    assert {one.snapshot_id for one in region.worlds.kept()} == {one.snapshot_id for one in made[1:]}
    region.snapshots = SnapshotConfig(keep_bytes=2 * max(one.size for one in made))
    region.worlds.tidy()
    assert {one.snapshot_id for one in region.worlds.kept()} == {one.snapshot_id for one in made[2:]}


async def test_a_copy_that_goes_with_its_origin_makes_room_for_others(region: Region) -> None:
    [asked] = await region.make(1)
    origin = await region.worlds.create(subject(), [], FINDING)
    at = origin.header.captured_at + 0.001  # a moment later, so that it comes before its origin
    copy = replace(
        origin.header, name=f"{origin.header.name}c", origin=origin.header.name, trigger=IMPORT, captured_at=at
    )
    region.store.add(copy, b"sealed", region.store.key(origin.snapshot_id))
    newest = await region.worlds.create(subject(), [], FINDING)
    region.snapshots = SnapshotConfig(keep_count=2)
    region.worlds.tidy()
    assert {one.snapshot_id for one in region.worlds.kept()} == {asked.snapshot_id, newest.snapshot_id}


async def test_those_made_by_themselves_fill_half_of_the_room_and_push_out_none_that_was_asked_for(
    region: Region,
) -> None:
    [asked] = await region.make(1)
    unasked = [await region.worlds.create(subject(), [], FINDING) for _ in range(4)]
    region.snapshots = SnapshotConfig(keep_count=4)
    region.worlds.tidy()
    left = {one.snapshot_id for one in region.worlds.kept()}
    assert left == {one.snapshot_id for one in (asked, *unasked[-2:])}


async def test_what_is_too_old_is_destroyed_and_cannot_be_opened_again(region: Region) -> None:
    [made] = await region.make(1)
    await region.worlds.open(made.header.resource_name)
    region.clock.seconds += 31 * 86_400.0
    region.worlds.tidy()
    with pytest.raises(StorexError) as caught:
        await region.worlds.open(made.header.resource_name)
    assert caught.value.reason is Reason.SNAPSHOT_KEY_DESTROYED
    [left] = [path for path in (region.folder / "worlds").iterdir() if path.is_file()]
    assert left.read_text().split() == [made.header.name]


async def test_after_a_rotation_the_old_key_can_go(region: Region) -> None:
    [made] = await region.make(1)
    path = region.folder / "keys"
    path.write_text(new_key_line() + path.read_text())
    rotated = Worlds(region.store, FileKeys(path), lambda: Settings(region.snapshots), region.clock)
    rotated.tidy()
    path.write_text(path.read_text().splitlines()[0] + "\n")
    alone = Worlds(
        WorldStore(region.folder / "worlds"), FileKeys(path), lambda: Settings(region.snapshots), region.clock
    )
    assert (await alone.open(made.header.resource_name)).world.subject.name == str(
        made.header.resource_name.instance_name
    )
    await rotated.close()
    await alone.close()


async def test_without_the_regions_key_nothing_opens(region: Region) -> None:
    [made] = await region.make(1)
    path = region.folder / "keys"
    path.write_text(new_key_line())
    other = Worlds(region.store, FileKeys(path), lambda: Settings(region.snapshots), region.clock)
    with pytest.raises(StorexError) as caught:
        await other.open(made.header.resource_name)
    assert caught.value.reason is Reason.SNAPSHOT_KEY_DESTROYED
    await other.close()


async def test_a_plain_copy_leaves_only_a_lab(region: Region) -> None:
    [made] = await region.make(1)
    with pytest.raises(StorexError) as caught:
        await region.worlds.export(made.header.resource_name, plain=True)
    assert caught.value.reason is Reason.SNAPSHOT_NOT_ENABLED
    assert list(region.store.exports.iterdir()) == []


async def test_a_sealed_copy_is_no_way_to_another_instance(region: Region) -> None:
    [made] = await region.make(1)
    file_name, _ = await region.worlds.export(made.header.resource_name, plain=False)
    (region.store.exports / file_name).rename(region.store.imports / file_name)
    foreign = replace(made.header.resource_name.instance_name, instance="payments-1")
    with pytest.raises(StorexError) as caught:
        await region.worlds.take_in(foreign, file_name)
    assert caught.value.reason is Reason.REQUEST_INVALID


@pytest.mark.parametrize(("plain", "kept"), [(True, 1), (False, 0)])
async def test_a_labs_copy_is_new_where_it_is_taken_in_and_any_other_one_as_old_as_its_data(
    region: Region, plain: bool, kept: int
) -> None:
    region.lab = True
    [made] = await region.make(1)
    name = made.header.resource_name
    file_name, _ = await region.worlds.export(name, plain=plain)
    shutil.copyfile(region.store.exports / file_name, region.store.imports / file_name)
    region.clock.seconds += 29 * 86_400.0
    again = await region.worlds.take_in(name.instance_name, file_name)
    assert again.header.captured_at == made.header.captured_at
    region.clock.seconds += 2 * 86_400.0
    region.worlds.tidy()
    assert len(region.worlds.kept()) == kept
