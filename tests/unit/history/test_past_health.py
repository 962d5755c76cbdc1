from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason, StorexError
from services.shard.detectors.registry import DETECTORS
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.stores.archive import Archive
from services.shard.stores.records import Batch, Sample, SeenStatement, Work
from services.shard.stores.sqlite import open_sqlite
from services.shard.verdict.past_health import SUREST, assess_past, past_or_limit
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from tests.clock import ManualClock
from tests.unit.shard.recorded import RecordedSource, view_of

KEY = ("orders", "d1")
BEGAN, ENDED = 1800, 1500
"""The bad five minutes, in seconds ago."""


def counters(calls: int, examined: int, unindexed: int) -> tuple[int, ...]:
    values = {
        **dict.fromkeys(DIGEST_COUNTERS, 0),
        "calls": calls,
        "total_picoseconds": calls * 10**11,
        "rows_examined": examined,
        "rows_sent": calls,
        "no_index_used": unindexed,
        "full_scans": unindexed,
    }
    return tuple(values[name] for name in DIGEST_COUNTERS)


GOOD, BAD = counters(20, 20, 0), counters(20, 2_000_000, 20)


@pytest.fixture
async def view(tmp_path: Path) -> AsyncIterator[InstanceView]:
    """An instance on which one statement read everything for five minutes, with deadlocks in one of them."""
    clock = ManualClock()
    archive = Archive(lambda: open_sqlite(tmp_path / "history.sqlite"), clock)
    archive.start()
    now = clock.now()
    pieces = tuple(Work(now - ago, 10.0, {KEY: BAD if ENDED <= ago < BEGAN else GOOD}) for ago in range(3600, 0, -10))
    seen = SeenStatement(*KEY, "SELECT * FROM `lines` WHERE `sku` = ?", now - 3600, now)
    samples = tuple(
        Sample(
            now - ago,
            {
                "threads_running": 1.0,
                "deadlocks_per_second": 0.5 if 1560 <= ago < 1620 else 0.0,
                "refused_connections_per_second": 0.0,
            },
        )
        for ago in range(3600, 0, -5)
    )
    made = view_of(RecordedSource({}), clock)
    await archive.record(Batch(str(made.name), samples=samples, work=pieces, statements=(seen,)))
    yield replace(made, archive=archive)
    await archive.close()


def request(at: float, window: int = 3600) -> diagnostics_pb2.GetHealthRequest:
    return diagnostics_pb2.GetHealthRequest(at=Timestamp(seconds=int(at)), window=Duration(seconds=window))


async def test_what_hurt_for_five_minutes_of_an_hour_is_found_dated_and_never_sure(view: InstanceView) -> None:
    now = view.clock.now()
    health = await assess_past(view, {"service": "orders"}, request(now))
    kinds = {finding.kind: finding for finding in health.findings}
    assert set(kinds) == {"query.missing_index", "lock.deadlock"}
    found = kinds["query.missing_index"]
    assert ("statement_digest", "d1") in {(entity.type, entity.value) for entity in found.entities}
    assert abs(found.onset.ToSeconds() - (now - BEGAN)) <= 300
    assert max(finding.confidence for finding in health.findings) <= SUREST
    assert dict(health.labels) == {"service": "orders"}


async def test_a_quiet_time_is_clear_where_it_can_be_judged_and_unchecked_elsewhere(view: InstanceView) -> None:
    health = await assess_past(view, {}, request(view.clock.now() - 60, window=600))
    assert not health.findings
    results = {check.kind: check.result for check in health.checks}
    assert set(results) == {detector.kind for detector in DETECTORS}
    assert results["query.missing_index"] == finding_pb2.CHECK_RESULT_CLEAR
    assert results["lock.deadlock"] == finding_pb2.CHECK_RESULT_CLEAR
    assert results["lock.row_blocker"] == finding_pb2.CHECK_RESULT_NOT_CHECKED


@pytest.mark.parametrize(
    ("ago", "window", "reason"),
    [
        (-60, 600, Reason.TIME_RANGE_INVALID),
        (90_000, 600, Reason.TIME_OUTSIDE_RETENTION),
        (60, 90_000, Reason.REQUEST_INVALID),
    ],
)
async def test_a_time_that_cannot_be_judged_is_refused(
    view: InstanceView, ago: int, window: int, reason: Reason
) -> None:
    with pytest.raises(StorexError) as failure:
        await assess_past(view, {}, request(view.clock.now() - ago, window))
    assert failure.value.reason is reason


async def test_among_many_an_instance_without_a_record_of_that_time_says_so(view: InstanceView) -> None:
    health = await past_or_limit(view, {}, request(view.clock.now() - 90_000))
    assert [limit.code for limit in health.observation.limits] == ["TIME_OUTSIDE_RETENTION"]
    assert {check.result for check in health.checks} == {finding_pb2.CHECK_RESULT_NOT_CHECKED}
