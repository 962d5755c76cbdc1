"""The lock-wait forest, against real locks."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pymysql
import pytest

from libs.lab.engines import RunningEngine
from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.transactions import list_transactions
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2
from tests.integration.shard.conftest import StartInstance

pytestmark = pytest.mark.engine

SECRET = "Ada Lovelace"


class Clients:
    """Sessions of an application that lock, and sessions that wait for them in threads of their own."""

    def __init__(self, engine: RunningEngine, undo: ExitStack) -> None:
        self._engine = engine
        self._undo = undo
        self.ended: list[str] = []
        """How statements that were to wait have ended, for whoever misses them."""

    def open(self, program: str = "shop-web") -> pymysql.Connection[pymysql.cursors.Cursor]:
        connection = self._engine.connect(database="shop", autocommit=False, program_name=program)
        self._undo.callback(connection.close)
        return connection

    def lock(self, row: int, *, program: str = "shop-web") -> pymysql.Connection[pymysql.cursors.Cursor]:
        """A session that has changed a row and not committed."""
        connection = self.open(program)
        connection.cursor().execute("UPDATE carts SET note = %s WHERE id = %s", (SECRET, row))
        return connection

    def wait(self, connection: pymysql.Connection[pymysql.cursors.Cursor], statement: str) -> int:
        """Let a session run a statement that waits; returns its connection id."""
        number = int(connection.thread_id())  # type: ignore[no-untyped-call]

        def run() -> None:
            try:
                connection.cursor().execute(statement)
            except pymysql.Error as error:
                self.ended.append(f"{statement}: {error}")
            else:
                self.ended.append(f"{statement}: done")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._undo.callback(thread.join, 5)
        self._undo.callback(self._kill, number)
        return number

    def _kill(self, number: int) -> None:
        with contextlib.suppress(pymysql.Error):
            self._engine.execute("KILL %s", [number])


@pytest.fixture
def clients(engine: RunningEngine) -> Iterator[Clients]:
    with ExitStack() as undo:
        yield Clients(engine, undo)


async def settled(view: InstanceView, waiters: int) -> diagnostics_pb2.GetLockWaitsResponse:
    """The answer once so many sessions wait. InnoDB refreshes its tables only when nobody has read them for 0.1 s."""
    until = time.monotonic() + 15
    while True:
        answer = await get_lock_waits(view, diagnostics_pb2.GetLockWaitsRequest())
        if len(answer.waiters) == waiters or time.monotonic() > until:
            return answer
        await asyncio.sleep(0.25)


async def test_a_chain_over_three_sessions_leads_to_the_idle_root(view: InstanceView, clients: Clients) -> None:
    root = clients.lock(1, program="batch")
    middle = clients.lock(2)
    middle_id = clients.wait(middle, f"UPDATE carts SET note = '{SECRET}' WHERE id = 1")
    last_id = clients.wait(clients.open(), f"UPDATE carts SET note = '{SECRET}' WHERE id = 2")
    answer = await settled(view, 2)
    root_id = int(root.thread_id())  # type: ignore[no-untyped-call]
    chains = {
        waiter.session.connection_id: (waiter.blocking_connection_id, waiter.root_connection_id, waiter.depth)
        for waiter in answer.waiters
    }
    assert chains == {middle_id: (root_id, root_id, 1), last_id: (middle_id, root_id, 2)}
    [holder] = answer.holders
    assert (holder.session.connection_id, holder.session.program) == (root_id, "batch")
    assert (holder.blocked_sessions, holder.kind) == (2, diagnostics_pb2.LOCK_KIND_ROW)
    assert holder.transaction.idle
    assert holder.transaction.rows_modified == 1
    assert holder.session.last_statement.digest_text.upper().startswith("UPDATE")
    assert {(waiter.table, waiter.index) for waiter in answer.waiters} == {("shop.carts", "PRIMARY")}
    assert answer.waiters[0].requested_mode.startswith("X")
    assert SECRET.encode() not in answer.SerializeToString()
    assert list(answer.observation.limits) == []


async def test_wait_times_grow_with_the_wait(view: InstanceView, clients: Clients) -> None:
    clients.lock(1)
    clients.wait(clients.open(), "UPDATE carts SET note = NULL WHERE id = 1")
    first = await settled(view, 1)
    await asyncio.sleep(1.2)
    second = await settled(view, 1)
    grown = second.waiters[0].wait_seconds - first.waiters[0].wait_seconds
    assert 0.2 <= grown <= 3.5
    assert second.holders[0].longest_wait_seconds == second.waiters[0].wait_seconds


async def test_a_select_behind_an_alter_behind_an_open_transaction(view: InstanceView, clients: Clients) -> None:
    reader = clients.open()
    reader.cursor().execute("SELECT COUNT(*) FROM carts")
    alter_id = clients.wait(clients.open("migration"), "ALTER TABLE carts FORCE")  # leaves nothing behind
    await settled(view, 1)
    select_id = clients.wait(clients.open(), "SELECT COUNT(*) FROM carts")
    answer = await settled(view, 2)
    root_id = int(reader.thread_id())  # type: ignore[no-untyped-call]
    chains = {waiter.session.connection_id: (waiter.blocking_connection_id, waiter.depth) for waiter in answer.waiters}
    assert chains == {alter_id: (root_id, 1), select_id: (alter_id, 2)}, clients.ended
    assert [(holder.session.connection_id, holder.kind) for holder in answer.holders] == [
        (root_id, diagnostics_pb2.LOCK_KIND_METADATA)
    ]
    reader.rollback()


async def test_without_performance_schema(unobserved_engine: RunningEngine, start_instance: StartInstance) -> None:
    instance = await start_instance(unobserved_engine)
    with ExitStack() as undo:
        clients = Clients(unobserved_engine, undo)
        root = clients.lock(1)
        waiter_id = clients.wait(clients.open(), "UPDATE carts SET note = NULL WHERE id = 1")
        answer = await settled(instance.view, 1)
        assert [waiter.session.connection_id for waiter in answer.waiters] == [waiter_id]
        assert "PERFORMANCE_SCHEMA_OFF" in [limit.code for limit in answer.observation.limits]
        if unobserved_engine.kind == "MariaDB":
            assert [holder.session.connection_id for holder in answer.holders] == [
                int(root.thread_id())  # type: ignore[no-untyped-call]
            ]


async def test_open_transactions(view: InstanceView, clients: Clients) -> None:
    holder = clients.lock(3, program="batch")
    await asyncio.sleep(0.2)
    answer = await list_transactions(view, diagnostics_pb2.ListTransactionsRequest())
    [transaction] = [found for found in answer.transactions if found.session.program == "batch"]
    assert transaction.connection_id == int(holder.thread_id())  # type: ignore[no-untyped-call]
    assert (transaction.state, transaction.rows_modified, transaction.idle) == ("RUNNING", 1, True)
    assert transaction.idle_seconds <= transaction.age_seconds
