"""Facts about indexes, on tables that real engines hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.lab.engines import RunningEngine
from services.shard.collectors.index_facts import list_index_facts
from services.shard.instances import Instance
from storex.diagnostics.v1 import indexes_pb2
from storex.diagnostics.v1.indexes_pb2 import IndexFact, ListIndexFactsRequest
from tests.integration.shard.conftest import StartInstance

pytestmark = pytest.mark.engine

TABLES = (
    "CREATE DATABASE stock",
    "CREATE TABLE stock.parts (id INT PRIMARY KEY, a INT, b INT, name VARCHAR(40), label VARCHAR(40),"
    " KEY by_a (a), KEY by_a_b (a, b), KEY by_b (b), KEY also_by_b (b), KEY by_name (name(5)),"
    " UNIQUE KEY one_a (a, id))",
    "INSERT INTO stock.parts WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
    " SELECT i, i, i, CONCAT('part ', i), CONCAT('label ', i) FROM n",
    "INSERT INTO stock.parts SELECT id + 1000, a, b, name, label FROM stock.parts",
    "CREATE TABLE stock.`a log-book` (at DATETIME, note VARCHAR(40)) STATS_PERSISTENT=1 STATS_AUTO_RECALC=0",
    "ANALYZE TABLE stock.`a log-book`, stock.parts",
    "INSERT INTO stock.`a log-book` SELECT NOW(), name FROM stock.parts",
    "CREATE TABLE stock.resting (id INT, KEY by_id (id), KEY also_by_id (id))",
)
WORK = (
    "SELECT COUNT(*) FROM parts WHERE label = 'label 7'",
    "SELECT name FROM parts WHERE a = 3 AND b = 3",
    "SELECT note FROM `a log-book` LIMIT 1",
)
MISSING, UNUSED = indexes_pb2.INDEX_FACT_KIND_MISSING, indexes_pb2.INDEX_FACT_KIND_UNUSED
REDUNDANT, DUPLICATE = indexes_pb2.INDEX_FACT_KIND_REDUNDANT, indexes_pb2.INDEX_FACT_KIND_DUPLICATE
KEYLESS, STALE = indexes_pb2.INDEX_FACT_KIND_NO_PRIMARY_KEY, indexes_pb2.INDEX_FACT_KIND_STALE_STATISTICS
LOG_BOOK = "stock.a log-book"


@pytest.fixture
async def stocked(engine: RunningEngine, start_instance: StartInstance) -> AsyncIterator[Instance]:
    """An instance whose digests were sampled before and after some work."""
    for statement in TABLES:
        engine.execute(statement)
    instance = await start_instance(engine)
    for _ in range(4):
        await asyncio.to_thread(work, engine)
        await asyncio.sleep(1.3)
    yield instance
    engine.execute("DROP DATABASE stock")


def work(engine: RunningEngine) -> None:
    with engine.connect(database="stock") as connection, connection.cursor() as cursor:
        for statement in WORK * 3:
            cursor.execute(statement)
            cursor.fetchall()


async def facts(instance: Instance, *, idle: bool = False) -> list[IndexFact]:
    answer = await list_index_facts(instance.view, ListIndexFactsRequest(include_idle_tables=idle))
    assert answer.window_seconds > 0
    assert answer.counted_seconds > 0
    return list(answer.facts)


def of(found: list[IndexFact], kind: int, table: str = "stock.parts") -> dict[str, IndexFact]:
    return {fact.index: fact for fact in found if fact.kind == kind and fact.table == table}


async def test_each_kind_of_fact_is_found_and_nothing_beside(stocked: Instance) -> None:
    found = await facts(stocked)
    missing = of(found, MISSING)[""]
    assert missing.rows_examined_per_call == pytest.approx(2000, rel=0.1)
    assert missing.rows == pytest.approx(2000, rel=0.1)
    assert "label" in missing.statement.digest_text
    assert set(of(found, UNUSED)) >= {"by_name"}
    assert not {"PRIMARY", "one_a"} & set(of(found, UNUSED))
    redundant = of(found, REDUNDANT)
    assert {name: fact.covered_by for name, fact in redundant.items()} == {"by_a": "by_a_b"}
    assert list(redundant["by_a"].columns) == ["a"]
    assert redundant["by_a"].index_bytes > 0
    assert redundant["by_a"].table_bytes > redundant["by_a"].index_bytes
    assert {name: fact.covered_by for name, fact in of(found, DUPLICATE).items()} == {"by_b": "also_by_b"}
    assert set(of(found, KEYLESS, LOG_BOOK)) == {""}
    [stale] = of(found, STALE, LOG_BOOK).values()
    assert stale.rows_changed_since == 2000
    assert stale.HasField("statistics_at")
    assert not of(found, STALE)
    assert {fact.table for fact in found} == {"stock.parts", LOG_BOOK}


async def test_tables_at_rest_are_told_of_when_asked_for(stocked: Instance) -> None:
    resting = [fact for fact in await facts(stocked, idle=True) if fact.table == "stock.resting"]
    assert {fact.kind for fact in resting} >= {DUPLICATE, KEYLESS}
