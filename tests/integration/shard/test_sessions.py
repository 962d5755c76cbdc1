"""The limits of sessions, against real servers."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pymysql
import pytest

from libs.core.clock import SystemClock
from libs.core.errors import Reason, StorexError
from libs.lab.accounts import STOREX_USER
from libs.lab.engines import RunningEngine, require_engines
from services.shard.mysql.connection import Connection, Login, SessionLimits
from services.shard.mysql.executor import CONNECTIONS, QUEUE, InstanceExecutor
from services.shard.mysql.source import LiveSource
from services.shard.mysql.statements import Statement
from tests.integration.shard.conftest import PASSWORD, StartInstance, prepare

pytestmark = pytest.mark.engine

SLEEP = "SELECT SLEEP(20)"


def login(engine: RunningEngine, password: str = PASSWORD) -> Login:
    return Login(engine.host, engine.port, STOREX_USER, password)


@pytest.fixture
async def executor(engine: RunningEngine) -> AsyncIterator[InstanceExecutor]:
    running = InstanceExecutor(lambda: login(engine), SystemClock())
    yield running
    await running.close()


def sessions_of_storex(engine: RunningEngine) -> list[str]:
    """What each of Storex's sessions runs."""
    rows = engine.execute("SELECT info FROM information_schema.processlist WHERE user = %s", [STOREX_USER])
    return [str(info) for (info,) in rows]


async def until_asleep(engine: RunningEngine, *, asleep: bool) -> None:
    """Wait until one of Storex's sessions runs SLEEP, or none any longer."""
    for _ in range(100):
        if (SLEEP in await asyncio.to_thread(sessions_of_storex, engine)) is asleep:
            return
        await asyncio.sleep(0.05)
    pytest.fail("the statement still runs" if not asleep else "the statement never ran")


def test_a_session_reads_only_whatever_its_account_may_do(engine: RunningEngine) -> None:
    administrator = Login(engine.host, engine.port, engine.user, engine.password)
    connection = Connection(administrator, SessionLimits())
    try:
        with pytest.raises(pymysql.MySQLError, match="READ ONLY"):
            connection.rows("DELETE FROM shop.carts")
    finally:
        connection.close()


def test_a_statement_ends_at_its_limit(engine: RunningEngine) -> None:
    connection = Connection(login(engine), SessionLimits(statement=1.0))
    try:
        began = time.monotonic()
        with pytest.raises(pymysql.MySQLError):
            # MySQL ends SLEEP early without an error, so that it takes a statement that really works.
            connection.rows(
                "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b"
                " CROSS JOIN information_schema.columns c"
            )
        assert time.monotonic() - began < 2.5
    finally:
        connection.close()


async def test_work_that_takes_too_long_is_killed(engine: RunningEngine, executor: InstanceExecutor) -> None:
    with pytest.raises(StorexError) as caught:
        await executor.run(lambda connection: connection.rows(SLEEP), seconds=0.3)
    assert caught.value.reason in (Reason.DATABASE_TIMEOUT, Reason.DATABASE_UNREACHABLE)
    await until_asleep(engine, asleep=False)


async def test_a_cancelled_call_ends_its_statement(engine: RunningEngine, executor: InstanceExecutor) -> None:
    call = asyncio.create_task(executor.run(lambda connection: connection.rows(SLEEP)))
    await until_asleep(engine, asleep=True)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until_asleep(engine, asleep=False)
    assert await executor.run(lambda connection: connection.rows("SELECT 1 AS one")) == [{"one": 1}]


async def test_two_sessions_at_most_and_a_bounded_queue(engine: RunningEngine, executor: InstanceExecutor) -> None:
    wait = "SELECT SLEEP(0.1)"
    calls = [
        asyncio.create_task(executor.run(lambda connection: connection.rows(wait), seconds=20))
        for _ in range(CONNECTIONS + QUEUE + 3)
    ]
    await asyncio.sleep(0.3)
    assert len(await asyncio.to_thread(sessions_of_storex, engine)) <= CONNECTIONS
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, StorexError)]
    assert [error.reason for error in refused] == [Reason.DATABASE_BUSY] * 3


async def test_a_lost_session_is_replaced_without_a_word(engine: RunningEngine, executor: InstanceExecutor) -> None:
    first = await executor.run(lambda connection: connection.connection_id)
    engine.execute("KILL %s", [first])
    rows = await executor.run(lambda connection: connection.rows("SELECT 1 AS one"))
    assert rows == [{"one": 1}]


async def test_bytes_of_another_character_set_do_not_break_the_reading(
    engine: RunningEngine, executor: InstanceExecutor
) -> None:
    with engine.connect(charset="latin1") as client, client.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE shop.carts SET note = 'caf\xe9' WHERE id = 4")
        source = LiveSource(executor, SystemClock())
        results = await source.read(Statement.INNODB_STATUS, Statement.PROCESSES, Statement.SESSION_STATEMENTS)
        client.rollback()
    assert results.limits() == []


async def test_wrong_password_then_the_right_one(engine: RunningEngine) -> None:
    password = "not this one"
    executor = InstanceExecutor(lambda: login(engine, password), SystemClock())
    try:
        for _ in range(5):
            with pytest.raises(StorexError) as caught:
                await executor.run(lambda connection: connection.rows("SELECT 1"))
            assert caught.value.reason is Reason.DATABASE_ACCESS_DENIED
        password = PASSWORD
        assert await executor.run(lambda connection: connection.rows("SELECT 1 AS one")) == [{"one": 1}]
    finally:
        await executor.close()


async def test_a_server_that_hangs_costs_its_own_calls_and_is_left_alone(engine: RunningEngine) -> None:
    limits = SessionLimits(connect=0.5, statement=0.5)
    executor = InstanceExecutor(lambda: login(engine), SystemClock(), limits)
    try:
        await executor.run(lambda connection: connection.rows("SELECT 1"))
        os.kill(engine.pid, signal.SIGSTOP)
        await asyncio.sleep(0.1)  # until every one of its threads has stopped
        reasons = []
        try:
            for _ in range(5):
                with pytest.raises(StorexError) as caught:
                    await executor.run(lambda connection: connection.rows("SELECT 1"))
                reasons.append(caught.value.reason)
        finally:
            os.kill(engine.pid, signal.SIGCONT)
        assert reasons[-1] is Reason.DATABASE_CIRCUIT_OPEN
    finally:
        await executor.close()


async def test_a_server_that_goes_and_comes_back(tmp_path: Path, start_instance: StartInstance) -> None:
    binary = require_engines()[0]
    running = prepare(binary.start(tmp_path / "engine"))
    try:
        instance = await start_instance(running)
        await instance.view.source.read(Statement.SERVER)
        await asyncio.to_thread(running.kill)
        with pytest.raises(StorexError) as caught:
            await instance.view.source.read(Statement.SERVER)
        assert caught.value.reason is Reason.DATABASE_UNREACHABLE
        running = await asyncio.to_thread(binary.start, tmp_path / "engine", port=running.port)
        for _ in range(200):
            if instance.sampler.seen.failure is None:
                break
            await asyncio.sleep(0.1)
        results = await instance.view.source.read(Statement.SERVER)
        assert results.has(Statement.SERVER)
    finally:
        running.kill()
