"""What a recorder makes of samples, with an archive that keeps them in a list."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from services.shard.sampler.recorder import Recorder
from services.shard.stores.archive import Archive
from services.shard.stores.records import Batch, Change, State
from services.shard.work.statement_texts import StatementTexts
from tests.unit.shard.test_dating import Clocks

STATUS = {"Uptime": 1000.0, "Questions": 500.0, "Connections": 40.0}


class Kept:
    """The archive of one recorder."""

    def __init__(self, states: dict[str, State] | None = None) -> None:
        self.batches: list[Batch] = []
        self._states = states or {}

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def statements(self, _: str) -> dict[tuple[str, str], Any]:
        return {}

    def states(self, _: str) -> dict[str, State]:
        return self._states

    def changes(self) -> list[Change]:
        return [change for batch in self.batches for change in batch.changes]


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


async def begun(kept: Kept, clocks: Clocks) -> Recorder:
    recorder = Recorder("regions/r/instances/i", cast(Archive, kept), StatementTexts(), clocks)
    await recorder.begin()
    return recorder


def look(recorder: Recorder, clocks: Clocks, seconds: float, *, set_by: float = 0.0, **status: float) -> None:
    clocks.pass_time(seconds, set_by=set_by)
    recorder.sampled(clocks.ticks, {**STATUS, **status}, {"sessions_idle": 3.0}, "10.11.6")


async def test_samples_carry_dates_rates_and_figures(clocks: Clocks) -> None:
    kept = Kept()
    recorder = await begun(kept, clocks)
    look(recorder, clocks, 1.0)
    look(recorder, clocks, 2.0, Uptime=1002.0, Questions=520.0)
    (sample,) = kept.batches[-1].samples
    assert (sample.at, sample.values["queries_per_second"], sample.values["sessions_idle"]) == (clocks.wall, 10.0, 3.0)
    assert kept.changes() == []


async def test_a_restart_is_told_once_with_its_time(clocks: Clocks) -> None:
    kept = Kept()
    recorder = await begun(kept, clocks)
    look(recorder, clocks, 1.0)
    last = clocks.wall
    look(recorder, clocks, 8.0, Uptime=5.0, Questions=3.0, Connections=2.0)
    look(recorder, clocks, 1.0, Uptime=6.0, Questions=4.0, Connections=2.0)
    (change,) = kept.changes()
    assert (change.kind, change.at, change.since) == ("restart", last + 3.0, last)


async def test_a_servers_clock_that_is_set_is_no_restart(clocks: Clocks) -> None:
    kept = Kept()
    recorder = await begun(kept, clocks)
    look(recorder, clocks, 1.0)
    look(recorder, clocks, 1.0, Uptime=3.0, Connections=41.0)
    assert kept.changes() == []


async def test_an_upgrade_while_no_shard_watched_is_told_by_the_next(clocks: Clocks) -> None:
    before = {"version": "10.6.16", "uptime": 90_000.0, "connections": 7.0}
    kept = Kept({"server": State(clocks.wall - 3600.0, json.dumps(before).encode())})
    recorder = await begun(kept, clocks)
    look(recorder, clocks, 1.0)
    restart, version = kept.changes()
    assert (restart.kind, restart.at) == ("restart", clocks.wall - 1000.0)
    assert (version.kind, version.content, version.since) == (
        "version",
        {"old": "10.6.16", "new": "10.11.6"},
        clocks.wall - 3601.0,
    )


async def test_a_clock_that_is_set_back_takes_the_future_back(clocks: Clocks) -> None:
    kept = Kept()
    recorder = await begun(kept, clocks)
    look(recorder, clocks, 1.0)
    look(recorder, clocks, 1.0, set_by=-3600.0, Uptime=1001.0, Questions=507.0)
    (change,) = kept.changes()
    assert (change.kind, change.content) == ("clock", {"step_seconds": "-3600.000"})
    assert next(batch.forget_after for batch in kept.batches if batch.changes) == clocks.wall
    assert kept.batches[-1].samples[0].values["queries_per_second"] == 7.0, "no clock bends a rate"


async def test_until_it_knows_what_was_before_it_tells_no_changes(clocks: Clocks) -> None:
    kept = Kept({"server": State(1.0, json.dumps({"version": "5", "uptime": 1.0, "connections": 1.0}).encode())})
    recorder = Recorder("regions/r/instances/i", cast(Archive, kept), StatementTexts(), clocks)
    look(recorder, clocks, 1.0)
    assert kept.changes() == []
    assert len(kept.batches) == 1
