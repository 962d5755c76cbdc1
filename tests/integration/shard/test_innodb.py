"""Old read views on real servers, and idle transactions that keep none."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from pymysql.cursors import Cursor

from libs.lab.engines import RunningEngine
from services.shard.health import assess
from services.shard.view import InstanceView
from tests.integration.shard.finding import cited, found, kinds, parts

pytestmark = pytest.mark.engine

ROWS = 3_000


@asynccontextmanager
async def working(
    engine: RunningEngine, work: Callable[[Cursor, random.Random], None], clients: int = 2
) -> AsyncIterator[None]:
    """Clients that do the same again and again."""
    stopping = threading.Event()

    def run(seed: int) -> None:
        chance = random.Random(seed)
        with engine.connect(database="archive") as connection, connection.cursor() as cursor:
            while not stopping.is_set():
                work(cursor, chance)

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            await asyncio.to_thread(thread.join)


@pytest.fixture
def archive(engine: RunningEngine) -> Iterator[RunningEngine]:
    """A table with some rows."""
    engine.execute("CREATE DATABASE archive")
    engine.execute("CREATE TABLE archive.notes (id INT PRIMARY KEY, n INT)")
    with engine.connect(database="archive") as client, client.cursor() as cursor:
        cursor.executemany("INSERT INTO notes VALUES (%s, 0)", [(number,) for number in range(ROWS)])
    yield engine
    engine.execute("DROP DATABASE archive")


def change(cursor: Cursor, chance: random.Random) -> None:
    cursor.execute("UPDATE notes SET n = n + 1 WHERE id = %s", (chance.randrange(ROWS),))


async def test_who_forgot_an_old_read_view_is_named(archive: RunningEngine, view: InstanceView) -> None:
    with archive.connect(database="archive", program_name="adhoc") as holder, holder.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        async with working(archive, change):
            finding = await found(view, "innodb.purge_lag", seconds=30)
        assert parts(finding)["holder", "connection_id"] == [str(holder.thread_id())]  # type: ignore[no-untyped-call]
        assert parts(finding)["holder", "user"] == [archive.user]
        assert int(cited(finding, "history_list_length")) >= 1000


@pytest.mark.slow
async def test_idle_transactions_that_keep_no_view_are_no_finding(archive: RunningEngine, view: InstanceView) -> None:
    """One under READ COMMITTED, and one that has not read anything yet."""
    with ExitStack() as stack:
        for begin in ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "SET autocommit = 0"):
            client = stack.enter_context(archive.connect(database="archive"))
            cursor = stack.enter_context(client.cursor())
            cursor.execute(begin)
            client.begin()
            if "COMMITTED" in begin:
                cursor.execute("SELECT COUNT(*) FROM notes")
        async with working(archive, change):
            for _ in range(8):
                await asyncio.sleep(1)
                assert "innodb.purge_lag" not in kinds(await assess(view, {}))
