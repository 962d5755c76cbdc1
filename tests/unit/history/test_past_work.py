from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason, StorexError
from services.shard.collectors.top_queries import list_top_queries
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.stores.archive import Archive
from services.shard.stores.records import Batch, Sample, SeenStatement, Work
from services.shard.stores.sqlite import open_sqlite
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2
from tests.clock import ManualClock
from tests.unit.shard.recorded import RecordedSource, view_of

KEY = ("orders", "d1")


def counters(calls: int) -> tuple[int, ...]:
    values = {**dict.fromkeys(DIGEST_COUNTERS, 0), "calls": calls, "total_picoseconds": calls * 10**12}
    return tuple(values[name] for name in DIGEST_COUNTERS)


@pytest.fixture
async def view(tmp_path: Path) -> AsyncIterator[InstanceView]:
    """An instance that did ten calls in each ten seconds of the last hour, and none in its last ten minutes."""
    clock = ManualClock()
    archive = Archive(lambda: open_sqlite(tmp_path / "history.sqlite"), clock)
    archive.start()
    now = clock.now()
    pieces = tuple(Work(now - ago, 10.0, {KEY: counters(10)} if ago >= 600 else {}) for ago in range(3600, 0, -10))
    seen = SeenStatement(*KEY, "SELECT * FROM `lines` WHERE `sku` = ?", now - 3600, now - 600)
    samples = (Sample(now - 3600, {"threads_running": 1.0}), Sample(now, {"threads_running": 1.0}))
    made = view_of(RecordedSource({}), clock)
    await archive.record(Batch(str(made.name), samples=samples, work=pieces, statements=(seen,)))
    yield replace(made, archive=archive)
    await archive.close()


def request(at: float, window: int = 60) -> diagnostics_pb2.ListTopQueriesRequest:
    return diagnostics_pb2.ListTopQueriesRequest(at=Timestamp(seconds=int(at)), window=Duration(seconds=window))


async def test_a_window_in_the_past_is_counted_from_the_record(view: InstanceView) -> None:
    now = view.clock.now()
    answer = await list_top_queries(view, request(now - 1200))
    (query,) = answer.queries
    assert (answer.window_seconds, query.calls, query.calls_per_second, query.load) == (60.0, 60, 1.0, 1.0)
    assert (query.statement.digest, list(query.tables)) == ("d1", ["orders.lines"])
    assert (await list_top_queries(view, request(now - 60))).queries == []


async def test_a_window_shorter_than_a_piece_takes_in_the_whole_piece(view: InstanceView) -> None:
    answer = await list_top_queries(view, request(view.clock.now() - 1205, window=2))
    assert (answer.window_seconds, answer.queries[0].calls) == (10.0, 10)


async def test_a_window_that_was_recorded_in_part_says_so(view: InstanceView) -> None:
    answer = await list_top_queries(view, request(view.clock.now() - 3570, window=600))
    assert [limit.code for limit in answer.observation.limits] == ["HISTORY_SHORTER"]
    assert answer.window_seconds == 30.0


async def test_the_future_and_what_is_not_kept_are_refused(view: InstanceView) -> None:
    for at, reason in ((60.0, Reason.TIME_RANGE_INVALID), (-90_000.0, Reason.TIME_OUTSIDE_RETENTION)):
        with pytest.raises(StorexError) as caught:
            await list_top_queries(view, request(view.clock.now() + at))
        assert caught.value.reason is reason
