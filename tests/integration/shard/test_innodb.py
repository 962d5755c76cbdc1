"""Old read views, commits that wait for the disk and pools that are too small, on real servers; and none of these."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
from pymysql.cursors import Cursor

from libs.lab.engines import RunningEngine
from services.shard.view import InstanceView
from tests.integration.shard.at_work import at_work
from tests.integration.shard.finding import cited, found, parts, stays_clear

pytestmark = pytest.mark.engine

ROWS = 3_000
FLUSHED = {"innodb_flush_log_at_trx_commit": 1, "sync_binlog": 1}
SMALL_POOL, LARGE_POOL = 5 * 2**20, 64 * 2**20
ROUNDED = 0.25
"""Servers round a pool's size by such a share."""


@asynccontextmanager
async def working(
    engine: RunningEngine, work: Callable[[Cursor, random.Random], None], clients: int = 2
) -> AsyncIterator[None]:
    """Clients that do the same again and again."""
    seeds = itertools.count()

    def run(stopping: threading.Event) -> None:
        chance = random.Random(next(seeds))
        with engine.connect(database="archive") as connection, connection.cursor() as cursor:
            while not stopping.is_set():
                work(cursor, chance)

    undo = ExitStack()
    undo.enter_context(at_work(run, clients))
    try:
        yield
    finally:
        await asyncio.to_thread(undo.close)


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
            await stays_clear(view, "innodb.purge_lag")


@contextmanager
def variables(engine: RunningEngine, values: Mapping[str, int]) -> Iterator[None]:
    """Global variables with other values, for as long as it takes."""
    before = {name: engine.execute(f"SELECT @@global.{name}")[0][0] for name in values}
    try:
        set_all(engine, values)
        yield
    finally:
        set_all(engine, before)


def set_all(engine: RunningEngine, values: Mapping[str, int]) -> None:
    """Set them until they are in force: MySQL passes over a pool's new size while it is busy with the one before."""
    for name, value in values.items():
        until = time.monotonic() + 15.0
        while abs(engine.execute(f"SELECT @@global.{name}")[0][0] - value) > ROUNDED * value:
            assert time.monotonic() < until, f"{name} is not {value}"
            engine.execute(f"SET GLOBAL {name} = {value}")
            time.sleep(0.2)


def commit_each(cursor: Cursor, chance: random.Random) -> None:
    cursor.execute("BEGIN")
    change(cursor, chance)
    cursor.execute("COMMIT")


@pytest.mark.slow
@pytest.mark.parametrize("work", [commit_each, change], ids=["COMMIT", "autocommit"])
async def test_commits_that_wait_for_the_disk_are_found(
    work: Callable[[Cursor, random.Random], None], archive: RunningEngine, view: InstanceView
) -> None:
    with variables(archive, FLUSHED):
        async with working(archive, work, clients=6):
            finding = await found(view, "innodb.flush_per_commit", seconds=30)
    assert parts(finding)["cause", "variable"] == ["innodb_flush_log_at_trx_commit"]
    assert float(cited(finding, "commits_per_second")) >= 50
    assert float(cited(finding, "rows_per_commit")) == pytest.approx(1.0, abs=0.3)
    share = float(cited(finding, "committing_sessions")) / float(cited(finding, "active_sessions"))
    assert share <= 1.0


def change_many(cursor: Cursor, _chance: random.Random) -> None:
    cursor.execute("UPDATE notes SET n = n + 1 WHERE id < 400")


def change_seldom(cursor: Cursor, chance: random.Random) -> None:
    time.sleep(0.1)
    commit_each(cursor, chance)


def read_and_commit(cursor: Cursor, chance: random.Random) -> None:
    """As programs do that leave autocommit off."""
    cursor.execute("BEGIN")
    cursor.execute("SELECT n FROM notes WHERE id = %s", (chance.randrange(ROWS),))
    cursor.execute("COMMIT")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "settings"),
    [(change_many, FLUSHED), (change_seldom, FLUSHED), (read_and_commit, FLUSHED), (commit_each, {"sync_binlog": 0})],
    ids=["many rows at once", "few commits", "nothing changed", "nothing flushed"],
)
async def test_other_commits_are_no_finding(
    work: Callable[[Cursor, random.Random], None],
    settings: Mapping[str, int],
    archive: RunningEngine,
    view: InstanceView,
) -> None:
    with variables(archive, settings):
        async with working(archive, work):
            await stays_clear(view, "innodb.flush_per_commit")


@pytest.fixture
def library(archive: RunningEngine) -> RunningEngine:
    """A table of some thirty megabytes."""
    archive.execute("CREATE TABLE archive.books (id INT PRIMARY KEY AUTO_INCREMENT, text CHAR(250), more CHAR(250))")
    with archive.connect(database="archive") as client, client.cursor() as cursor:
        cursor.execute("INSERT INTO books (text, more) SELECT REPEAT('a', 250), REPEAT('b', 250) FROM notes")
        for _ in range(4):
            cursor.execute("INSERT INTO books (text, more) SELECT text, more FROM books")
    return archive


def read_anywhere(cursor: Cursor, chance: random.Random) -> None:
    marks = ", ".join(str(chance.randrange(16 * ROWS)) for _ in range(50))
    cursor.execute(f"SELECT MAX(text) FROM books WHERE id IN ({marks})")
    time.sleep(0.01)


@pytest.mark.slow
async def test_a_pool_that_is_too_small_is_found(library: RunningEngine, view: InstanceView) -> None:
    with variables(library, {"innodb_buffer_pool_size": SMALL_POOL}):
        async with working(library, read_anywhere):
            finding = await found(view, "innodb.buffer_pool", seconds=40)
    assert parts(finding)["cause", "variable"] == ["innodb_buffer_pool_size"]
    assert int(cited(finding, "size_bytes")) <= 2 * SMALL_POOL
    assert float(cited(finding, "reads_since_full")) >= 3


@pytest.mark.slow
async def test_a_pool_that_holds_what_is_read_is_no_finding(library: RunningEngine, view: InstanceView) -> None:
    with variables(library, {"innodb_buffer_pool_size": SMALL_POOL}):  # what it held is gone then
        library.execute("SELECT COUNT(*) FROM archive.notes")
    with variables(library, {"innodb_buffer_pool_size": LARGE_POOL}):
        async with working(library, read_anywhere):
            await stays_clear(view, "innodb.buffer_pool", seconds=10)
