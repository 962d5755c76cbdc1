"""The past of real servers, asked of a whole shard over a real channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason
from libs.lab.engines import RunningEngine
from services.shard.sampler import statement_work, watcher
from storex.history.v1 import history_pb2, history_pb2_grpc
from tests.integration.shard.conftest import write_inventory
from tests.integration.shard.test_app import DB_1, DB_2, Shard, reason_of, running

pytestmark = pytest.mark.engine


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks for changes more often than a production shard should."""
    for name in ("VARIABLES_SECONDS", "CLIENTS_SECONDS", "SCHEMA_SECONDS"):
        monkeypatch.setattr(watcher, name, 1.0)
    monkeypatch.setattr(watcher, "COST_SHARE", 1.0)
    monkeypatch.setattr(statement_work, "PIECE_SECONDS", 1.0)


@pytest.fixture
async def shard(engine: RunningEngine, tmp_path: Path, hurried: None) -> AsyncIterator[Shard]:
    async with running(write_inventory(tmp_path, engine)) as started:
        yield started


def stub(shard: Shard) -> history_pb2_grpc.HistoryServiceAsyncStub:
    return history_pb2_grpc.HistoryServiceStub(shard.channel)


def at(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMilliseconds(round(seconds * 1000))
    return stamp


async def changes_once(
    shard: Shard, wanted: Callable[[list[history_pb2.Change]], bool], seconds: float = 20.0
) -> list[history_pb2.Change]:
    """The changes as soon as they are as wanted."""
    request = history_pb2.ListChangesRequest(name=DB_1)
    until = time.monotonic() + seconds
    while True:
        answer = await stub(shard).ListChanges(request, metadata=shard.as_user("on-call"))
        found = list(answer.changes)
        if wanted(found) or time.monotonic() > until:
            return found
        await asyncio.sleep(0.2)


async def watched(shard: Shard) -> None:
    """Wait until variables, tables and clients have been looked at once."""
    archive = shard.app.archive
    for _ in range(100):
        if {"variables", "tables", "clients"} <= (await archive.ask(lambda store: store.states(DB_1))).keys():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was looked at")


async def test_a_metric_grows_while_it_is_sampled(engine: RunningEngine, shard: Shard) -> None:
    deadline = time.monotonic() + 20.0
    request = history_pb2.GetMetricHistoryRequest(
        name=DB_1, metric="queries_per_second", start=at(time.time() - 60.0), step=Duration(seconds=1)
    )
    while time.monotonic() < deadline:
        answer = await stub(shard).GetMetricHistory(request, metadata=shard.as_user("viewer"))
        if len(answer.points) >= 3:
            break
        await asyncio.sleep(0.3)
    assert len(answer.points) >= 3
    assert all(point.low > 0.0 for point in answer.points), "the sampler's own statements are statements too"
    assert (answer.metric.unit, answer.step_seconds) == ("1/s", 1.0)
    assert answer.gaps[0].start.ToSeconds() == request.start.ToSeconds(), "nothing was recorded before it began"
    assert [limit.code for limit in answer.observation.limits] == ["HISTORY_SHORTER"]


async def test_variables_tables_and_clients_that_change(engine: RunningEngine, shard: Shard) -> None:
    await watched(shard)
    before = engine.execute("SELECT @@global.max_connections")[0][0]
    try:
        engine.execute("SET GLOBAL max_connections = 77")
        engine.execute("SET GLOBAL init_connect = 'SET @name = ''Ada'''")
        engine.execute("ALTER TABLE shop.carts ADD COLUMN weight INT, DROP INDEX by_note")
        with engine.connect(program_name="newcomer"):
            found = await changes_once(shard, lambda found: len(found) >= 5)
    finally:
        engine.execute(f"SET GLOBAL max_connections = {before}")
        engine.execute("SET GLOBAL init_connect = ''")
        engine.execute("ALTER TABLE shop.carts DROP COLUMN weight, ADD INDEX by_note (note)")
    told = {
        (change.variable.variable, change.variable.old_value, change.variable.new_value, change.variable.withheld)
        for change in found
        if change.HasField("variable")
    }
    assert told == {("max_connections", str(before), "77", False), ("init_connect", "", "", True)}
    assert {(c.table.table, c.table.action, c.table.column or c.table.index) for c in found if c.HasField("table")} == {
        ("shop.carts", "column_added", "weight"),
        ("shop.carts", "index_dropped", "by_note"),
    }
    assert "newcomer" in {change.client.program for change in found if change.HasField("client")}
    assert all(change.unchanged_until.ToSeconds() for change in found if not change.HasField("client"))
    viewer = await stub(shard).ListChanges(
        history_pb2.ListChangesRequest(name=DB_1, kinds=[history_pb2.CHANGE_KIND_CLIENT_NEW]),
        metadata=shard.as_user("viewer"),
    )
    assert {change.client.program[:4] for change in viewer.changes} == {"prn_"}


async def test_changes_while_no_shard_watched_are_seen_by_the_next(
    engine: RunningEngine, tmp_path: Path, hurried: None
) -> None:
    inventory = write_inventory(tmp_path, engine)
    async with running(inventory) as first:
        await watched(first)
    before = engine.execute("SELECT @@global.table_open_cache")[0][0]
    engine.execute("SET GLOBAL table_open_cache = 321")
    try:
        async with running(inventory) as second:
            (change,) = await changes_once(second, lambda found: bool(found))
    finally:
        engine.execute(f"SET GLOBAL table_open_cache = {before}")
    assert (change.variable.variable, change.variable.new_value) == ("table_open_cache", "321")
    assert change.unchanged_until.ToNanoseconds() < change.changed_at.ToNanoseconds()


async def test_statement_work_is_on_record(engine: RunningEngine, shard: Shard) -> None:
    def work() -> None:
        with engine.connect(database="shop") as client, client.cursor() as cursor:
            for number in range(20):
                cursor.execute("SELECT note FROM carts WHERE id = %s AND total >= 0", [number])

    deadline = time.monotonic() + 40.0
    digests: set[str] = set()
    while not digests and time.monotonic() < deadline:
        await asyncio.to_thread(work)
        await asyncio.sleep(1.0)
        seen = await shard.app.archive.ask(lambda store: store.statements(DB_1))
        digests = {known.digest for known in seen.values() if "total" in known.text and "20" not in known.text}
    (digest,) = digests
    request = history_pb2.GetMetricHistoryRequest(
        name=DB_1, metric="statement_rows_sent_per_call", statement_digest=digest
    )
    answer = await stub(shard).GetMetricHistory(request, metadata=shard.as_user("viewer"))
    assert answer.points
    assert all(0.0 < point.mean < 1.0 for point in answer.points), "4 of 20 carts exist"
    request.statement_digest = "gone"
    call = stub(shard).GetMetricHistory(request, metadata=shard.as_user("viewer"))
    assert await reason_of(call) is Reason.STATEMENT_UNKNOWN


async def test_a_deployment_is_kept_scrubbed_and_once(shard: Shard) -> None:
    event = history_pb2.DeployEvent(
        service="orders", version="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", note='for "Ada", ada@example.com'
    )
    event.deployed_at.CopyFrom(at(time.time() - 60.0))
    request = history_pb2.PostDeployEventRequest(name=DB_1, event=event)
    posted = await stub(shard).PostDeployEvent(request, metadata=shard.as_user("on-call"))
    again = await stub(shard).PostDeployEvent(request, metadata=shard.as_user("on-call"))
    assert posted == again
    (change,) = await changes_once(shard, lambda found: bool(found))
    assert change == posted.change
    assert (change.deploy.service, change.deploy.version) == ("orders", "9f86d081884c")
    assert change.deploy.note == "for [quoted], [email]"
    refused = stub(shard).PostDeployEvent(request, metadata=shard.as_user("viewer"))
    assert await reason_of(refused) is Reason.RPC_NOT_PERMITTED
    request.event.service = "card 4111111111111111"
    assert (
        await reason_of(stub(shard).PostDeployEvent(request, metadata=shard.as_user("dba"))) is Reason.REQUEST_INVALID
    )
    request.name = DB_2
    call = stub(shard).PostDeployEvent(request, metadata=shard.as_user("on-call"))
    assert await reason_of(call) is Reason.RESOURCE_NOT_FOUND


async def test_questions_that_have_no_answer_say_why(shard: Shard) -> None:
    await watched(shard)
    now, history = time.time(), stub(shard)

    async def asked(**fields: Any) -> Reason:
        request = history_pb2.GetMetricHistoryRequest(**{"name": DB_1, "metric": "threads_running", **fields})
        return await reason_of(history.GetMetricHistory(request, metadata=shard.as_user("viewer")))

    assert await asked(metric="thread_running") is Reason.METRIC_UNKNOWN
    assert await asked(start=at(now), end=at(now - 60)) is Reason.TIME_RANGE_INVALID
    assert await asked(start=at(now + 600)) is Reason.TIME_RANGE_INVALID
    assert await asked(start=Timestamp(seconds=-5)) is Reason.TIME_RANGE_INVALID
    assert await asked(start=at(now - 9e7), end=at(now - 8e7)) is Reason.TIME_OUTSIDE_RETENTION
    assert await asked(start=at(now - 86_400), step=Duration(seconds=1)) is Reason.REQUEST_INVALID
    assert await asked(statement_digest="d") is Reason.REQUEST_INVALID
    assert await asked(metric="statement_load") is Reason.REQUEST_INVALID


async def test_metrics_and_normals(shard: Shard) -> None:
    listed = await stub(shard).ListMetrics(history_pb2.ListMetricsRequest(name=DB_1), metadata=shard.as_user("viewer"))
    assert {"queries_per_second", "threads_running", "statement_load"} <= {one.metric for one in listed.metrics}
    await watched(shard)
    answer = await stub(shard).GetNormal(history_pb2.GetNormalRequest(name=DB_1), metadata=shard.as_user("viewer"))
    assert [limit.code for limit in answer.observation.limits] in (["BASELINE_MISSING"], ["HISTORY_SHORTER"])
    assert all(normal.basis == history_pb2.NORMAL_BASIS_UNSPECIFIED for normal in answer.normals)
    assert all(normal.HasField("current") for normal in answer.normals)
