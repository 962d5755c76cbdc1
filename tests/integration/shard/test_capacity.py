"""Numbers that run out and tables that are full, on real servers, of any type and at any column."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pymysql
import pytest

from libs.lab.engines import RunningEngine
from services.shard.collectors.auto_increments import list_auto_increments
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import capacity_pb2, diagnostics_pb2, finding_pb2
from tests.integration.shard.finding import cited, found, kinds, parts

pytestmark = [pytest.mark.engine, pytest.mark.slow]

TABLE = "ledger.entries"


@pytest.fixture
def ledger(engine: RunningEngine) -> Iterator[RunningEngine]:
    """A schema of the test's own."""
    engine.execute("CREATE DATABASE ledger")
    yield engine
    engine.execute("DROP DATABASE ledger")


@contextlib.asynccontextmanager
async def inserting(engine: RunningEngine, statement: str, pause: float = 0.1) -> AsyncIterator[None]:
    """A client that goes on inserting, whatever comes of it."""
    stopping = asyncio.Event()

    def insert() -> None:
        with engine.connect() as client, client.cursor() as cursor, contextlib.suppress(pymysql.MySQLError):
            cursor.execute(statement)

    async def work() -> None:
        while not stopping.is_set():
            await asyncio.to_thread(insert)
            await asyncio.sleep(pause)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        stopping.set()
        await task


def of_capacity(health: diagnostics_pb2.InstanceHealth) -> list[str]:
    return [kind for kind in kinds(health) if kind.startswith("capacity.")]


@pytest.mark.parametrize(
    ("column_type", "last"),
    [
        ("TINYINT", 127),
        pytest.param("SMALLINT UNSIGNED", 65_535, marks=pytest.mark.slow),
        pytest.param("MEDIUMINT", 8_388_607, marks=pytest.mark.slow),
        pytest.param("INT UNSIGNED", 4_294_967_295, marks=pytest.mark.slow),
        pytest.param("BIGINT", 9_223_372_036_854_775_807, marks=pytest.mark.slow),
        pytest.param("BIGINT UNSIGNED", 18_446_744_073_709_551_615, marks=pytest.mark.slow),
    ],
)
async def test_numbers_that_have_run_out(
    column_type: str, last: int, ledger: RunningEngine, view: InstanceView
) -> None:
    """The column is no primary key, and the table has an older one of its own kind beside it."""
    ledger.execute("CREATE TABLE ledger.roomy (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, note INT)")
    ledger.execute(
        f"CREATE TABLE {TABLE} (code CHAR(8) NOT NULL, number {column_type} AUTO_INCREMENT, UNIQUE KEY (number))"
    )
    with contextlib.suppress(pymysql.MySQLError):  # the largest BIGINT UNSIGNED is refused as a value by MariaDB
        ledger.execute(f"INSERT INTO {TABLE} VALUES ('first', {last - 1}), ('last', {last})")
    async with inserting(ledger, f"INSERT INTO {TABLE} (code) VALUES ('next')"):
        finding = await found(view, "capacity.auto_increment")
        await asyncio.sleep(2)
        finding = await found(view, "capacity.auto_increment")
    assert parts(finding) == {("affected", "table"): [TABLE]}
    assert cited(finding, ".column") == "number"
    assert cited(finding, ".largest") == str(last)
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


async def test_numbers_that_are_used_fast_and_soon_gone_are_a_warning(
    ledger: RunningEngine, view: InstanceView
) -> None:
    ledger.execute(f"CREATE TABLE {TABLE} (id SMALLINT AUTO_INCREMENT PRIMARY KEY, code INT) AUTO_INCREMENT = 32600")
    async with inserting(ledger, f"INSERT INTO {TABLE} (code) VALUES (1)"):
        finding = await found(view, "capacity.auto_increment")
    assert finding.severity == finding_pb2.SEVERITY_WARNING
    assert parts(finding) == {("affected", "table"): [TABLE]}


@pytest.mark.slow
async def test_numbers_that_last_for_years_are_no_finding(ledger: RunningEngine, view: InstanceView) -> None:
    """Nearly used up and hardly written to; used fast and far from the end; a full list of codes that never grows."""
    ledger.execute("CREATE TABLE ledger.seldom (id INT AUTO_INCREMENT PRIMARY KEY, c INT) AUTO_INCREMENT = 2147000000")
    ledger.execute("CREATE TABLE ledger.busy (id INT AUTO_INCREMENT PRIMARY KEY, c INT)")
    ledger.execute("INSERT INTO ledger.seldom (c) VALUES (1)")
    async with inserting(ledger, "INSERT INTO ledger.busy (c) VALUES (1)"):
        await asyncio.sleep(5)
        health = await assess(view, {})
        listed = await list_auto_increments(view, capacity_pb2.ListAutoIncrementsRequest())
    assert of_capacity(health) == []
    assert listed.columns[0].table == "ledger.seldom"
    assert 0.999 < listed.columns[0].used_ratio < 1


@pytest.mark.parametrize(
    "definition",
    [
        "(body CHAR(250)) ENGINE = MEMORY",
        pytest.param("(body VARCHAR(250)) ENGINE = MyISAM MAX_ROWS = 10 AVG_ROW_LENGTH = 50", marks=pytest.mark.slow),
    ],
)
async def test_a_table_that_is_full(definition: str, ledger: RunningEngine, view: InstanceView) -> None:
    insert = f"INSERT INTO {TABLE} VALUES (REPEAT('x', 250))"
    with ledger.connect() as client, client.cursor() as cursor:
        cursor.execute("SET SESSION max_heap_table_size = 65536")
        cursor.execute(f"CREATE TABLE {TABLE} {definition} CHARACTER SET latin1")
        with contextlib.suppress(pymysql.MySQLError):
            for _ in range(1000):
                cursor.execute(insert)
    async with inserting(ledger, insert):
        finding = await found(view, "capacity.table_full")
    assert parts(finding) == {("affected", "table"): [TABLE]}
    assert cited(finding, ".failed_inserts") != "0"


@pytest.mark.slow
async def test_a_full_table_that_nobody_writes_to_and_one_that_is_trimmed_are_no_finding(
    ledger: RunningEngine, view: InstanceView
) -> None:
    with ledger.connect() as client, client.cursor() as cursor:
        cursor.execute("SET SESSION max_heap_table_size = 65536")
        for name in ("still", "trimmed"):
            cursor.execute(f"CREATE TABLE ledger.{name} (body CHAR(250)) CHARACTER SET latin1 ENGINE = MEMORY")
            with contextlib.suppress(pymysql.MySQLError):
                for _ in range(1000):
                    cursor.execute(f"INSERT INTO ledger.{name} VALUES ('x')")
        cursor.execute("DELETE FROM ledger.trimmed LIMIT 200")
    await asyncio.sleep(8)  # the filling itself is over
    async with inserting(ledger, "INSERT INTO ledger.trimmed VALUES ('y')"):
        await asyncio.sleep(4)
        assert of_capacity(await assess(view, {})) == []
