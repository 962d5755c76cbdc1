"""The watch over a server that suffers: it costs its own calls only, is told, left alone, and found again."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.core.errors import Reason, StorexError
from libs.lab.accounts import STOREX_USER
from libs.lab.engines import RunningEngine, require_engines
from services.shard.instances import Instance
from services.shard.mysql.executor import CONNECTIONS
from services.shard.mysql.statements import Statement
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from tests.integration.shard.conftest import StartInstance, prepare

pytestmark = pytest.mark.engine

TOLD_WITHIN = 15.0
"""Seconds until a server that hangs is told as such: the limits of one connection and one statement, and some."""


@contextmanager
def hung(engine: RunningEngine) -> Iterator[None]:
    """The server's process stopped, as a hung disk leaves it."""
    os.kill(engine.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(engine.pid, signal.SIGCONT)


def codes(health: diagnostics_pb2.InstanceHealth) -> set[str]:
    return {limit.code for limit in health.observation.limits}


async def until_known(instance: Instance, *, answers: bool, seconds: float) -> diagnostics_pb2.InstanceHealth:
    """The health once it says that the server answers, or does not."""
    until = time.monotonic() + seconds
    while True:
        health = await instance.health.current()
        unchecked = all(check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED for check in health.checks)
        if unchecked is not answers or time.monotonic() > until:
            return health
        await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_a_hung_server_is_told_costs_no_other_ones_calls_and_is_found_again(
    engine: RunningEngine, tmp_path: Path, start_instance: StartInstance
) -> None:
    with prepare(require_engines()[0].start(tmp_path / "hung")) as sick:
        fine, hangs = await start_instance(engine), await start_instance(sick)
        await asyncio.gather(fine.health.current(), hangs.health.current())
        with hung(sick):
            waiting = asyncio.create_task(until_known(hangs, answers=False, seconds=TOLD_WITHIN))
            longest = 0.0
            while not waiting.done():
                began = time.monotonic()
                assert (await fine.health.current()).checks
                await fine.view.source.read(Statement.SERVER)
                longest = max(longest, time.monotonic() - began)
                await asyncio.sleep(0.1)
            told = await waiting
            assert codes(told) & {"DATABASE_TIMEOUT", "DATABASE_UNREACHABLE", "DATABASE_CIRCUIT_OPEN"}
            assert {check.result for check in told.checks} == {finding_pb2.CHECK_RESULT_NOT_CHECKED}
            assert longest < 3.0, "another server's calls waited for the hung one"
        back = await until_known(hangs, answers=True, seconds=30.0)
        assert not codes(back) & {"DATABASE_TIMEOUT", "DATABASE_UNREACHABLE", "DATABASE_CIRCUIT_OPEN"}


async def test_a_failing_server_is_left_alone_ever_longer(tmp_path: Path, start_instance: StartInstance) -> None:
    with prepare(require_engines()[0].start(tmp_path / "gone")) as engine:
        instance = await start_instance(engine)
        await instance.health.current()
    for _ in range(6):
        with pytest.raises(StorexError) as caught:
            await instance.view.source.read(Statement.SERVER)
    assert caught.value.reason is Reason.DATABASE_UNREACHABLE
    assert caught.value.retry_seconds is not None, "the breaker is open: nobody dials any longer"
    await until_known(instance, answers=False, seconds=10.0)
    began = time.monotonic()
    for _ in range(5):
        health = await instance.health.current()
        assert "DATABASE_UNREACHABLE" in codes(health)
    assert time.monotonic() - began < 3.0


async def test_sampling_watching_and_callers_together_use_two_sessions(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    instance = await start_instance(engine)
    stop = time.monotonic() + 4.0

    async def call() -> None:
        while time.monotonic() < stop:
            await instance.health.current()
            await instance.view.source.read(Statement.PROCESSES, Statement.TRANSACTIONS)

    callers = [asyncio.create_task(call()) for _ in range(6)]
    most = 0
    with engine.connect() as administrator, administrator.cursor() as cursor:
        while time.monotonic() < stop:
            await asyncio.to_thread(
                cursor.execute, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s", [STOREX_USER]
            )
            [(count,)] = cursor.fetchall()
            most = max(most, count)
            await asyncio.sleep(0.05)
    await asyncio.gather(*callers)
    assert 1 <= most <= CONNECTIONS
