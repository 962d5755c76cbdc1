"""The archive on real files: kills, full and missing disks, slow ones, and what happens to those who wait."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from libs.core.clock import SystemClock
from libs.core.errors import Reason, StorexError
from services.shard.stores import archive as archive_module
from services.shard.stores.archive import Archive
from services.shard.stores.records import Batch, Change, Sample, State, Tier
from services.shard.stores.sql_store import SqlHistoryStore, migrate
from services.shard.stores.sqlite import SqliteDatabase, open_sqlite
from services.shard.stores.store import HistoryStore
from tests.clock import ManualClock
from tests.integration.stores.shard_to_kill import NAME

NOW = 1_800_000_000.0


def sampled(number: int) -> Batch:
    return Batch(NAME, samples=(Sample(NOW + number, {"number": float(number)}),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


@pytest.fixture
async def archive(path: Path) -> AsyncIterator[Archive]:
    opened = Archive(lambda: open_sqlite(path), SystemClock())
    opened.start()
    yield opened
    await opened.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def count_of(archive: Archive) -> int:
    return len(await archive.ask(lambda store: store.series(NAME, "number", Tier.RAW, 0, NOW * 2)))


@pytest.mark.parametrize("round_number", range(3))
def test_a_killed_shard_loses_what_was_under_way_and_nothing_before(path: Path, round_number: int) -> None:
    command = [sys.executable, "-m", "tests.integration.stores.shard_to_kill", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as shard:
        assert shard.stdout is not None
        told = [int(shard.stdout.readline()) for _ in range(3 + 4 * round_number)][-1]
        shard.send_signal(signal.SIGKILL)
    store = open_sqlite(path)
    numbers = [point.mean for point in store.series(NAME, "number", Tier.RAW, 0, NOW * 2)]
    assert numbers == [float(number) for number in range(1, len(numbers) + 1)], "no hole, nothing half"
    assert len(numbers) >= told
    services = {change.content["service"] for change in store.changes(NAME, 0, NOW * 2)}
    assert services == {f"s{number}" for number in range(1, len(numbers) + 1)}, "a sample and its changes are one"
    store.write([sampled(1)])
    store.close()


async def test_what_is_put_is_kept_without_waiting(archive: Archive) -> None:
    began = time.monotonic()
    for number in range(1000):
        archive.put(sampled(number))
    assert time.monotonic() - began < 0.5
    await until(lambda: _is(archive, 1000))
    assert archive.dropped == 0


async def _is(archive: Archive, count: int) -> bool:
    return await count_of(archive) == count


async def test_what_waits_at_the_end_is_written(path: Path) -> None:
    archive = Archive(lambda: open_sqlite(path), SystemClock())
    archive.start()
    archive.put(sampled(1))
    await archive.close()
    store = open_sqlite(path)
    assert store.span(NAME) == (NOW + 1, NOW + 1)
    store.close()


class SmallDisk(SqliteDatabase):
    """A file on a disk that is full until `room` is set."""

    room = threading.Event()

    def execute(self, sql: str, params: Sequence[object] = ()) -> None:
        if sql == "BEGIN IMMEDIATE":
            super().execute(f"PRAGMA max_page_count = {1_000_000 if self.room.is_set() else 1}")
        super().execute(sql, params)


def _on_small_disk(path: Path) -> HistoryStore:
    database = SmallDisk(path)
    database.room.set()
    migrate(database)
    return SqlHistoryStore(database)


async def test_a_full_disk_loses_samples_and_no_changes_and_confirms_nothing(path: Path) -> None:
    archive = Archive(lambda: _on_small_disk(path), SystemClock())
    archive.start()
    try:
        await archive.record(Batch(NAME, states={"filler": State(NOW, bytes(200_000))}))
        SmallDisk.room.clear()
        change = Change(NOW, "restart", {"version": "1"})
        state = State(NOW, bytes(300_000))
        archive.put(Batch(NAME, samples=(Sample(NOW, {"number": 1.0}),), changes=(change,), states={"big": state}))
        await until(lambda: _failed(archive, Reason.STORE_FULL))
        with pytest.raises(StorexError) as caught:
            await archive.record(Batch(NAME, states={"bigger": State(NOW, bytes(600_000))}))
        assert caught.value.reason is Reason.STORE_FULL
        assert (await archive.ask(lambda store: store.states(NAME))).keys() == {"filler"}, "reading goes on"
        SmallDisk.room.set()
        await until(lambda: _failed(archive, None))
        assert await archive.ask(lambda store: store.changes(NAME, 0, NOW + 1)) == [change]
        assert archive.dropped >= 1
    finally:
        SmallDisk.room.set()
        await archive.close()


async def _failed(archive: Archive, reason: Reason | None) -> bool:
    return (archive.failure.reason if archive.failure else None) is reason


async def test_a_store_that_cannot_be_opened_yet_is_tried_again(tmp_path: Path) -> None:
    place = tmp_path / "state"
    place.write_text("a file where a folder should be")
    archive = Archive(lambda: open_sqlite(place / "history.sqlite"), SystemClock())
    archive.start()
    archive.put(Batch(NAME, changes=(Change(NOW, "restart", {}),)))
    await until(lambda: _failed(archive, Reason.STORE_UNAVAILABLE))
    with pytest.raises(StorexError):
        await archive.ask(lambda store: store.span(NAME))
    place.unlink()
    await until(lambda: _failed(archive, None))
    assert len(await archive.ask(lambda store: store.changes(NAME, 0, NOW + 1))) == 1
    await archive.close()


def test_a_file_that_is_no_store_is_left_alone(path: Path) -> None:
    path.write_bytes(b"precious" * 1000)
    with pytest.raises(StorexError) as caught:
        open_sqlite(path)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert path.read_bytes() == b"precious" * 1000


async def test_a_disk_that_hangs_costs_old_samples_and_never_the_loop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "QUEUE", 50)
    hanging = threading.Event()

    def open_when_it_wakes() -> HistoryStore:
        hanging.wait(20)
        return open_sqlite(path)

    archive = Archive(open_when_it_wakes, SystemClock())
    archive.start()
    archive.put(sampled(0))
    await asyncio.sleep(0.5)
    began = time.monotonic()
    archive.put(Batch(NAME, changes=(Change(NOW, "restart", {}),)))
    for number in range(1, 200):
        archive.put(sampled(number))
    assert time.monotonic() - began < 0.2
    hanging.set()
    await until(lambda: _has(archive, 199.0))
    assert archive.dropped >= 100
    assert len(await archive.ask(lambda store: store.changes(NAME, 0, NOW + 1))) == 1
    await archive.close()


async def _has(archive: Archive, number: float) -> bool:
    points = await archive.ask(lambda store: store.series(NAME, "number", Tier.RAW, 0, NOW * 2))
    return bool(points) and points[-1].mean == number


async def test_a_clock_that_leapt_ahead_does_not_drop_everything(path: Path) -> None:
    clock = ManualClock()
    clock.seconds = NOW
    store = open_sqlite(path)
    store.write([sampled(1)])

    class Leapt:
        def now(self) -> float:
            return clock.seconds + (1e9 if clock.seconds > NOW else 0.0)

        def monotonic(self) -> float:
            return clock.seconds

    archive = Archive(lambda: open_sqlite(path), Leapt())
    clock.seconds += 1.0
    archive._due = [(0.0, NAME, 0)]
    archive._maintain(store)
    assert store.span(NAME) is not None
    store.close()
    await archive.close()
