from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from libs.core.clock import SystemClock
from libs.core.errors import Reason, StorexError
from services.shard.detectors.readings import Detection, Detector, Readings, entity
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.watch.cadence import ASKED_SHARE, SHARE, Cadence
from services.shard.watch.health_watch import HealthWatch
from services.shard.watch.merging import merged
from services.shard.watch.open_findings import REOPENS_WITHIN, OpenFindings, what_matters
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from tests.unit.shard.recorded import RecordedSource, view_of

KIND = "lock.row_blocker"


class CountingSource(RecordedSource):
    """Counts how often it is read, and how many readings run at the same time."""

    def __init__(self, **changes: Any) -> None:
        super().__init__({}, **changes)
        self.reads = 0
        self.at_once = 0
        self.most_at_once = 0
        self.pause = 0.0

    async def read(self, *statements: Statement) -> ResultSets:
        self.reads += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(self.pause)
        self.at_once -= 1
        return await super().read(*statements)


def found(holder: str = "7", severity: finding_pb2.Severity.ValueType = finding_pb2.SEVERITY_WARNING) -> Detection:
    entities = [entity("holder", "connection_id", holder)]
    return Detection((finding_pb2.Finding(kind=KIND, severity=severity, entities=entities),))


class Said:
    """What a scripted detector says; how often it was asked, and with what."""

    def __init__(self, says: Detection) -> None:
        self.says = says
        self.seen: list[Readings] = []
        self.asked_twice = asyncio.Event()

    def detect(self, readings: Readings) -> Detection:
        self.seen.append(readings)
        if len(self.seen) == 2:
            self.asked_twice.set()
        return self.says


@asynccontextmanager
async def watching(source: RecordedSource, said: Said) -> AsyncIterator[HealthWatch]:
    detector = Detector(KIND, ("get_lock_waits",), said.detect)
    view = view_of(source, SystemClock())  # type: ignore[arg-type] # a clock is a clock
    watch = HealthWatch(view, lambda: {"service": "shop"}, (detector,))
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_callers_share_a_look_and_what_is_fresh_is_not_read_again() -> None:
    source, said = CountingSource(), Said(Detection(reason="clear"))
    source.pause = 0.05
    async with watching(source, said) as watch:
        healths = await asyncio.gather(*(watch.current() for _ in range(20)))
        assert len({id(health) for health in healths}) == 1
        assert dict(healths[0].labels) == {"service": "shop"}
        reads = source.reads
        for _ in range(20):
            assert await watch.current() is healths[0]
        assert source.reads == reads


async def test_a_caller_who_goes_away_ends_nobody_elses_look() -> None:
    source = CountingSource()
    source.pause = 0.2
    async with watching(source, Said(Detection(reason="clear"))) as watch:
        gone, stays = asyncio.create_task(watch.current()), asyncio.create_task(watch.current())
        await asyncio.sleep(0.05)
        gone.cancel()
        health = await stays
        assert [check.result for check in health.checks] == [finding_pb2.CHECK_RESULT_CLEAR]


async def test_what_has_only_just_begun_is_decided_by_the_next_look() -> None:
    said = Said(Detection(reason="young", look_again=0.05))
    async with watching(CountingSource(), said) as watch:
        first = asyncio.create_task(watch.current())
        await said.asked_twice.wait()
        assert not first.done(), "just after the start it is waited for"
        said.says = found()
        assert [finding.kind for finding in (await first).findings] == [KIND]
    previous = said.seen[1].previous
    assert previous is not None
    assert previous.lock_waits is said.seen[0].lock_waits


async def test_an_onset_stays_and_a_finding_that_was_not_there_began_when_it_was_seen() -> None:
    said = Said(Detection(reason="clear"))
    async with watching(CountingSource(), said) as watch:
        await watch.current()
        said.says = found()
        changes = watch.changes()
        told = [await anext(changes)]
        while not told[-1].findings:
            told.append(await anext(changes))
        onset = told[-1].findings[0].onset
        assert onset.ToSeconds() > 0
        said.says = found(severity=finding_pb2.SEVERITY_CRITICAL)
        worse = await anext(changes)
        assert worse.findings[0].severity == finding_pb2.SEVERITY_CRITICAL
        assert worse.findings[0].onset == onset
        said.says = Detection(reason="clear")
        assert not (await anext(changes)).findings
        await changes.aclose()


async def test_nothing_is_told_while_nothing_changes() -> None:
    async with watching(CountingSource(), Said(found())) as watch:
        changes = watch.changes()
        await anext(changes)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(changes), 2.3)


async def test_a_server_that_is_gone_is_told_asked_ever_more_seldom_and_found_again() -> None:
    source, said = CountingSource(), Said(Detection(reason="clear"))
    async with watching(source, said) as watch:
        changes = watch.changes()
        await anext(changes)
        source.failure = StorexError(Reason.DATABASE_UNREACHABLE)
        gone = await anext(changes)
        assert [limit.code for limit in gone.observation.limits] == ["DATABASE_UNREACHABLE"]
        assert [check.result for check in gone.checks] == [finding_pb2.CHECK_RESULT_NOT_CHECKED]
        reads = source.reads
        await asyncio.sleep(2.5)
        assert source.reads - reads <= 2, "after one second, after two, after four"
        source.failure = None
        assert not (await watch.current()).observation.limits, "who asks does not wait for the next try"


async def test_one_reading_at_a_time() -> None:
    source = CountingSource()
    source.pause = 0.02
    tools = ("get_lock_waits", "get_connections", "get_innodb_status", "get_purge_state")
    detectors = [Detector(f"kind.{tool}", (tool,), Said(Detection(reason="clear")).detect) for tool in tools]
    watch = HealthWatch(view_of(source, SystemClock()), dict, detectors)  # type: ignore[arg-type] # a clock
    task = asyncio.create_task(watch.run())
    await watch.current()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert source.most_at_once == 1


async def test_a_mistake_in_a_detector_costs_its_own_check() -> None:
    def fails(_readings: Readings) -> Detection:
        raise ZeroDivisionError

    detectors = (
        Detector("kind.broken", ("get_lock_waits",), fails),
        Detector("kind.fine", ("get_lock_waits",), Said(Detection(reason="clear")).detect),
    )
    watch = HealthWatch(view_of(CountingSource(), SystemClock()), dict, detectors)  # type: ignore[arg-type] # a clock
    task = asyncio.create_task(watch.run())
    health = await watch.current()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [check.result for check in health.checks] == [
        finding_pb2.CHECK_RESULT_NOT_CHECKED,
        finding_pb2.CHECK_RESULT_CLEAR,
    ]


async def test_who_waits_when_the_watch_ends_is_told_and_changes_end() -> None:
    source = CountingSource()
    source.pause = 30.0
    async with watching(source, Said(Detection())) as watch:
        waits = asyncio.create_task(watch.current())
        changes = asyncio.create_task(anext(watch.changes(), None))
        await asyncio.sleep(0.05)
    with pytest.raises(StorexError) as caught:
        await waits
    assert caught.value.reason is Reason.NOT_READY
    assert await changes is None


def test_what_is_dear_is_read_more_seldom_and_sooner_where_somebody_waits() -> None:
    cadence = Cadence({"cheap": 1.0, "dear": 1.0})
    cadence.read("cheap", 100.0, 0.001)
    cadence.read("dear", 100.0, 0.3)

    def due_after(tool: str, *, asked: bool) -> float:
        return next(tenths / 10 for tenths in range(1, 1000) if cadence.is_due(tool, 100.0 + tenths / 10, asked=asked))

    assert due_after("cheap", asked=False) == pytest.approx(1.0, abs=0.2)
    assert due_after("dear", asked=False) == pytest.approx(0.3 / SHARE, abs=0.2)
    assert due_after("dear", asked=True) == pytest.approx(0.3 / ASKED_SHARE, abs=0.2)
    assert cadence.is_due("never read", 100.0, asked=False)
    assert cadence.is_stale("never read", 100.0)
    assert not cadence.is_stale("dear", 102.5)
    cadence.read("dear", 103.0, 0.001)
    assert not cadence.is_due("dear", 106.0, asked=False), "one cheap reading does not make it cheap"
    cadence.forget()
    assert cadence.is_due("cheap", 103.1, asked=False)


def blocker(holder: str, onset: int = 0) -> finding_pb2.Finding:
    finding = finding_pb2.Finding(kind=KIND, entities=[entity("holder", "connection_id", holder)])
    if onset:
        finding.onset.FromSeconds(onset)
    return finding


def test_another_holder_is_another_finding() -> None:
    known = OpenFindings()
    first, drifted, other = blocker("7", 1000), blocker("7", 1003), blocker("8", 1004)
    known.settle([first], 1001.0)
    known.settle([drifted, other], 1005.0)
    assert (drifted.onset.ToSeconds(), other.onset.ToSeconds()) == (1000, 1004)


def test_one_that_comes_back_soon_is_the_same_and_later_is_another() -> None:
    known = OpenFindings()
    known.settle([blocker("7", 1000)], 1001.0)
    known.settle([], 1002.0)
    soon, late = blocker("7", 1004), blocker("7", 2000)
    known.settle([soon], 1005.0)
    known.settle([late], 1005.0 + REOPENS_WITHIN + 1.0)
    assert (soon.onset.ToSeconds(), late.onset.ToSeconds()) == (1000, 2000)


def test_what_was_there_at_the_first_look_has_no_invented_onset() -> None:
    known, there = OpenFindings(), blocker("7")
    known.settle([there], 1001.0)
    assert not there.HasField("onset")


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        (lambda health: setattr(health.findings[0], "impact", 9.0), False),
        (lambda health: setattr(health.findings[0], "summary", "Now 12 sessions wait."), False),
        (lambda health: setattr(health.findings[0], "severity", finding_pb2.SEVERITY_CRITICAL), True),
        (lambda health: health.findings[0].entities.add(role="victim", type="connection_id", value="9"), False),
        (lambda health: setattr(health.findings[0].entities[0], "value", "8"), True),
        (lambda health: health.findings.pop(), True),
        (lambda health: setattr(health.checks[0], "result", finding_pb2.CHECK_RESULT_NOT_CHECKED), True),
        (lambda health: setattr(health.checks[0], "reason", "Other figures."), False),
    ],
)
def test_what_matters_of_a_health(change: Callable[[Any], object], matters: bool) -> None:
    health = diagnostics_pb2.InstanceHealth(
        findings=[blocker("7", 1000)], checks=[finding_pb2.Check(kind="x", result=finding_pb2.CHECK_RESULT_CLEAR)]
    )
    before = what_matters(health)
    change(health)
    assert (what_matters(health) != before) == matters


async def numbers(*items: int, closed: list[int] | None = None, fails: bool = False) -> AsyncGenerator[int, None]:
    try:
        for item in items:
            await asyncio.sleep(0.001 * item)
            yield item
        if fails:
            raise ValueError("of the first")
    finally:
        if closed is not None:
            closed.append(items[0])


async def test_merged_streams_end_with_the_last_and_fail_with_the_first() -> None:
    assert sorted([item async for item in merged([numbers(1, 5), numbers(2, 3), numbers(4)])]) == [1, 2, 3, 4, 5]
    assert [item async for item in merged(list[AsyncGenerator[int, None]]())] == []
    with pytest.raises(ValueError, match="of the first"):
        _ = [item async for item in merged([numbers(1, fails=True), numbers(500)])]
    closed: list[int] = []
    stream = merged([numbers(1, 2000, closed=closed), numbers(2, 3000, closed=closed)])
    assert await anext(stream) == 1
    await stream.aclose()
    assert sorted(closed) == [1, 2]


async def test_whoever_asks_for_this_moment_gets_readings_of_their_own() -> None:
    source, said = CountingSource(), Said(Detection())
    async with watching(source, said) as watch:
        assert not (await watch.current()).findings
        said.says = found()  # what was known a moment ago says nothing of it
        assert not (await watch.current()).findings
        assert [finding.kind for finding in (await watch.fresh()).findings] == [KIND]


async def test_what_has_only_just_begun_is_waited_for_by_whoever_asks_for_this_moment() -> None:
    source, said = CountingSource(), Said(Detection())
    async with watching(source, said) as watch:
        await watch.current()
        said.says = Detection(look_again=0.3)
        asking = asyncio.create_task(watch.fresh())
        await asyncio.sleep(1.5)
        assert not asking.done(), "it is undecided"
        said.says = found()
        assert [finding.kind for finding in (await asking).findings] == [KIND]
