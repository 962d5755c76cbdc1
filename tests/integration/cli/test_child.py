from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from libs.cli.mesh import child as child_module
from libs.cli.mesh.child import READY, STOPPED, WAITING, Child
from libs.cli.mesh.plan import ServiceSpec, free_ports
from tests.integration.cli.processes import is_running

SERVER = "tests.integration.cli.server_on_a_lifeline"


def spec_of(tmp_path: Path) -> ServiceSpec:
    address = f"127.0.0.1:{next(free_ports())}"
    return ServiceSpec(
        name="server",
        module=SERVER,
        arguments=("--listen", address),
        address=address,
        metrics_port=1,
        identity="server",
        token_file=tmp_path / "token",
        log_file=tmp_path / "logs" / "server.log",
    )


@asynccontextmanager
async def running(spec: ServiceSpec) -> AsyncIterator[tuple[Child, list[str]]]:
    states: list[str] = []
    child = Child(spec, lambda changed: states.append(changed.state))
    task = asyncio.create_task(child.keep_running())
    try:
        yield child, states
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_a_killed_process_comes_back_on_its_address(tmp_path: Path) -> None:
    async with running(spec_of(tmp_path)) as (child, states):
        await asyncio.wait_for(child.ready.wait(), 15)
        first = child.snapshot()
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: child.restarts == 1 and child.state == READY)
        second = child.snapshot()
        assert second.pid not in (None, first.pid)
        assert second.last_exit.startswith("killed by SIGKILL")
        assert "serving" in child.spec.log_file.read_text()
    assert second.pid is not None
    assert not is_running(second.pid)
    assert states[-1] == STOPPED


async def test_a_process_that_keeps_failing_is_started_ever_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_FAILS", "1")
    pauses: list[float] = []
    real_sleep = asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds >= child_module.FIRST_BACKOFF_SECONDS:
            pauses.append(seconds)
        await real_sleep(min(seconds, 0.01))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    async with running(spec_of(tmp_path)) as (child, states):
        await until(lambda: child.restarts >= 2)
        assert child.last_exit == "exited with status 1: it was told to fail"
    assert pauses[:2] == [child_module.FIRST_BACKOFF_SECONDS, child_module.FIRST_BACKOFF_SECONDS * 2]
    assert WAITING in states
    assert READY not in states


async def test_a_process_that_will_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_STUBBORN", "1")
    monkeypatch.setattr(child_module, "STOP_SECONDS", 0.3)
    async with running(spec_of(tmp_path)) as (child, _):
        await asyncio.wait_for(child.ready.wait(), 15)
        pid = child.snapshot().pid
    assert pid is not None
    assert not is_running(pid)


def test_a_service_stops_when_the_process_that_started_it_is_gone(tmp_path: Path) -> None:
    spec = spec_of(tmp_path)
    command = [sys.executable, "-m", "libs.cli.mesh.tether", SERVER, *spec.arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            assert process.stdout.readline() == b"serving\n"
            process.stdin.close()
            assert process.wait(10) == -signal.SIGTERM
        finally:
            process.kill()
