from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.shard.history.normal import NOTHING, RECENT, SAME_HOUR, Baseline, read_normals
from services.shard.history.ranges import Range
from services.shard.stores.records import Batch, Sample
from services.shard.stores.sqlite import open_sqlite
from services.shard.stores.store import HistoryStore

NAME = "regions/eu/instances/orders-1"
NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[HistoryStore]:
    opened = open_sqlite(tmp_path / "history.sqlite")
    yield opened
    opened.close()


def record(store: HistoryStore, start: float, end: float, value: Callable[[float], float], step: float = 20.0) -> None:
    count = int((end - start) / step)
    times = (start + step * number for number in range(count))
    store.write([Batch(NAME, samples=tuple(Sample(at, {"queries_per_second": value(at)}) for at in times))])


def test_one_bad_hour_does_not_become_normal() -> None:
    chance = random.Random(7)
    ordinary = [chance.gauss(100.0, 5.0) for _ in range(200)]
    baseline = Baseline.of([*ordinary, *([5000.0] * 9)])
    assert 95.0 < baseline.median < 105.0
    assert 3.0 < baseline.deviation < 4.5
    assert baseline.deviations(150.0, "1/s") > 4.0
    assert not baseline.is_unusual(150.0, "1/s"), "it has been seen before"
    assert Baseline.of(ordinary).is_unusual(150.0, "1/s")
    assert not Baseline.of(ordinary).is_unusual(104.0, "1/s")


def test_the_first_of_something_is_unusual_only_if_there_is_a_lot_of_it() -> None:
    never = Baseline.of([0.0] * 100)
    assert not never.is_unusual(0.02, "1/s")
    assert never.is_unusual(5.0, "1/s")
    assert never.deviations(5.0, "1/s") < 100.0


def test_the_same_hour_of_other_days_where_there_are_enough(store: HistoryStore) -> None:
    night, day = 10.0, 500.0
    for back in range(1, 6):
        middle = NOW - back * DAY
        record(store, middle - 1800, middle + 1800, lambda _: night)
        record(store, middle - 5 * 3600, middle - 4 * 3600, lambda _: day)
    record(store, NOW - 60, NOW, lambda _: 480.0, step=1.0)
    for hours in range(0, 130):
        store.roll_up(NAME, NOW - 6 * DAY + hours * 3600)
    store.roll_up(NAME, NOW)
    found = read_normals(store, NAME, Range(NOW - 60, NOW), NOW)
    assert (found.basis, found.days) == (SAME_HOUR, 5)
    baseline = found.baselines["queries_per_second"]
    assert baseline.median == night
    assert found.current["queries_per_second"] == 480.0
    assert baseline.is_unusual(480.0, "1/s"), "at night that many are not normal"


def test_the_time_before_where_there_are_no_days(store: HistoryStore) -> None:
    record(store, NOW - 7200, NOW, lambda _: 100.0)
    store.roll_up(NAME, NOW)
    found = read_normals(store, NAME, Range(NOW - 60, NOW), NOW)
    assert (found.basis, found.days) == (RECENT, 1)
    assert 100 < found.baselines["queries_per_second"].count <= 119, "minutes, without those of the window"


def test_samples_where_there_are_no_minutes_and_nothing_where_there_are_few(store: HistoryStore) -> None:
    record(store, NOW - 100, NOW, lambda _: 7.0, step=1.0)
    found = read_normals(store, NAME, Range(NOW - 60, NOW), NOW)
    assert (found.basis, found.baselines["queries_per_second"].count) == (RECENT, 40)
    early = read_normals(store, NAME, Range(NOW - 90, NOW - 80), NOW)
    assert (early.basis, early.baselines) == (NOTHING, {})
    assert early.current == {"queries_per_second": 7.0}


def test_a_window_of_last_night_is_read_from_minutes(store: HistoryStore) -> None:
    record(store, NOW - DAY, NOW - DAY + 7200, lambda at: 900.0 if at > NOW - DAY + 6000 else 90.0)
    store.roll_up(NAME, NOW - DAY + 7300)
    found = read_normals(store, NAME, Range(NOW - DAY + 6500, NOW - DAY + 6560), NOW)
    assert found.current["queries_per_second"] == 900.0
    assert found.baselines["queries_per_second"].median == 90.0
