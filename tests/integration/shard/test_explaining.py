"""Plans from real engines: what may be explained, what becomes of it, and that DDL holds nothing up."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pymysql
import pytest

from libs.core.errors import Reason, StorexError
from libs.lab.accounts import STOREX_USER
from libs.lab.engines import RunningEngine
from services.shard.collectors.plan import explain_statement
from services.shard.collectors.top_queries import list_top_queries
from services.shard.instances import Instance
from services.shard.mysql.explaining import BLOCKED, GONE, NO_SELECT, NOT_A_SELECT
from storex.diagnostics.v1 import diagnostics_pb2, plans_pb2
from tests.integration.shard.conftest import StartInstance

pytestmark = pytest.mark.engine

LITERAL = "Grace Hopper"
JOIN = (
    "SELECT c.total, COUNT(*) FROM carts c STRAIGHT_JOIN carts d FORCE INDEX (PRIMARY) ON d.id = c.id"
    f" WHERE c.note = '{LITERAL}' OR c.total > 7 GROUP BY c.total ORDER BY 2"
)


@pytest.fixture
async def instance(engine: RunningEngine, start_instance: StartInstance) -> AsyncIterator[Instance]:
    """One whose owner allows statements to be explained."""
    engine.execute(f"GRANT SELECT ON shop.* TO '{STOREX_USER}'@'%'")
    started = await start_instance(engine)
    started.config = replace(started.config, explain=True)
    yield started
    engine.execute(f"REVOKE SELECT ON shop.* FROM '{STOREX_USER}'@'%'")


def run(engine: RunningEngine, sql: str) -> None:
    with engine.connect(database="shop") as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()


async def digest_after(engine: RunningEngine, instance: Instance, sql: str, mark: str) -> str:
    """The digest of a statement once its calls show in a window; how long that takes depends on the samples."""
    request = diagnostics_pb2.ListTopQueriesRequest(page_size=200)
    for _ in range(10):
        await asyncio.to_thread(run, engine, sql)
        answer = await list_top_queries(instance.view, request)
        texts = {query.statement.digest: query.statement.digest_text for query in answer.queries}
        found = [digest for digest, text in texts.items() if mark in text and not text.startswith("EXPLAIN")]
        if found:
            return found[0]
    raise AssertionError("the statement is not among the top queries")


async def explain(instance: Instance, digest: str) -> plans_pb2.ExplainStatementResponse:
    return await explain_statement(instance.view, plans_pb2.ExplainStatementRequest(digest=digest))


async def refusal(instance: Instance, digest: str) -> StorexError:
    with pytest.raises(StorexError) as refused:
        await explain(instance, digest)
    return refused.value


async def test_a_join_is_explained_in_typed_steps_without_its_literals(
    engine: RunningEngine, instance: Instance
) -> None:
    holder = engine.connect(database="shop")  # MariaDB forgets what a session ran when it ends
    with holder, holder.cursor() as cursor:
        cursor.execute(JOIN)
        cursor.fetchall()
        digest = await digest_after(engine, instance, JOIN, "COUNT")
        answer = await explain(instance, digest)
    steps = {step.table: step for step in answer.steps}
    assert steps["c"].full_scan
    flags = {flag for step in answer.steps for flag in step.flags}
    assert {plans_pb2.PLAN_FLAG_USING_TEMPORARY, plans_pb2.PLAN_FLAG_USING_FILESORT} <= flags
    assert (steps["d"].access_type, steps["d"].key, steps["d"].rows) == ("eq_ref", "PRIMARY", 1)
    assert steps["c"].HasField("filtered_percent")
    assert plans_pb2.PLAN_FLAG_OTHER not in flags
    assert answer.schema == "shop"
    assert LITERAL.encode() not in answer.SerializeToString()
    from_engine = {"MySQL": plans_pb2.PLAN_TEXT_SAMPLE, "MariaDB": plans_pb2.PLAN_TEXT_HISTORY}
    assert answer.text == from_engine[engine.kind]


async def test_what_was_seen_running_is_explained_where_the_engine_keeps_no_text(
    engine: RunningEngine, instance: Instance
) -> None:
    engine.execute("UPDATE performance_schema.setup_consumers SET enabled = 'NO' WHERE name LIKE '%history'")
    try:
        slow = f"SELECT SLEEP(0.9) FROM carts WHERE note <> '{LITERAL}'"
        thread = threading.Thread(target=run, args=(engine, slow))
        thread.start()
        digest = await _digest_running(instance, "SLEEP")
        answer = await explain(instance, digest)
        await asyncio.to_thread(thread.join, 10)
    finally:
        engine.execute("UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name LIKE '%ts_history'")
    assert answer.text == plans_pb2.PLAN_TEXT_RUNNING
    assert [step.table for step in answer.steps] == ["carts"]


async def _digest_running(instance: Instance, word: str, seconds: float = 10) -> str:
    """The digest of a statement with that word, once it has been seen at work."""
    until = time.monotonic() + seconds
    while True:
        found = [
            one.digest for seen in instance.view.history.activity for one in seen.running if word in one.text.upper()
        ]
        if found or time.monotonic() > until:
            return found[0]
        await asyncio.sleep(0.1)


async def test_a_change_of_definition_does_not_hold_explaining_up(engine: RunningEngine, instance: Instance) -> None:
    sql = "SELECT total AS behind FROM carts WHERE total = 1"
    reader, changer = engine.connect(database="shop", autocommit=False), engine.connect(database="shop")
    try:
        with reader.cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()
        digest = await digest_after(engine, instance, sql, "behind")
        number = int(changer.thread_id())  # type: ignore[no-untyped-call]
        thread = threading.Thread(target=_change, args=(changer,))
        thread.start()
        await asyncio.sleep(0.5)
        began = time.monotonic()
        refused = await refusal(instance, digest)
        took = time.monotonic() - began
        engine.execute(f"KILL {number}")
        await asyncio.to_thread(thread.join, 10)
        after = await explain(instance, digest)
    finally:
        reader.close()
    assert (refused.reason, refused.metadata) == (Reason.STATEMENT_NOT_EXPLAINED, {"problem": BLOCKED})
    assert took < 3.0
    assert after.steps


def _change(connection: pymysql.Connection[pymysql.cursors.Cursor]) -> None:
    with pytest.raises(pymysql.Error), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE carts ADD COLUMN later INT")


async def test_only_a_select_is_explained(engine: RunningEngine, instance: Instance) -> None:
    sql = "UPDATE carts SET total = total WHERE note = 'untouched'"
    holder = engine.connect(database="shop")
    with holder, holder.cursor() as cursor:
        cursor.execute(sql)
        digest = await digest_after(engine, instance, sql, "UPDATE")
        refused = await refusal(instance, digest)
    assert (refused.reason, refused.metadata) == (Reason.STATEMENT_NOT_EXPLAINED, {"problem": NOT_A_SELECT})


async def test_without_the_privilege_or_the_table_the_reason_is_told(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    sql = "SELECT id AS passing FROM passing_table WHERE id = 1"
    engine.execute("CREATE TABLE shop.passing_table (id INT PRIMARY KEY)")
    instance = await start_instance(engine)
    instance.config = replace(instance.config, explain=True)
    holder = engine.connect(database="shop")
    with holder, holder.cursor() as cursor:
        cursor.execute(sql)
        digest = await digest_after(engine, instance, sql, "passing")
        refused = await refusal(instance, digest)
        assert refused.metadata == {"problem": NO_SELECT}
        engine.execute(f"GRANT SELECT ON shop.* TO '{STOREX_USER}'@'%'")
        engine.execute("DROP TABLE shop.passing_table")
        assert (await refusal(instance, digest)).metadata == {"problem": GONE}
        engine.execute(f"REVOKE SELECT ON shop.* FROM '{STOREX_USER}'@'%'")


async def test_nothing_is_explained_or_kept_unless_the_owner_allows_it(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    instance = await start_instance(engine)
    assert (await refusal(instance, "0" * 64)).reason is Reason.EXPLAIN_NOT_ALLOWED
    instance.config = replace(instance.config, explain=True)
    assert (await refusal(instance, "0" * 64)).reason is Reason.STATEMENT_UNKNOWN
    assert (await refusal(instance, "")).reason is Reason.REQUEST_INVALID
