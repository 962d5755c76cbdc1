from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from libs.rpc import lifecycle
from libs.rpc.lifecycle import Lifecycle, run_in_background


class Service(Lifecycle):
    def __init__(self, *, fails: bool = False) -> None:
        self.stopped: list[str] = []
        self._fails = fails

    async def start(self, stack: AsyncExitStack) -> None:
        stack.callback(self.stopped.append, "first")
        stack.callback(self.stopped.append, "second")
        if self._fails:
            raise OSError("taken")


async def test_parts_stop_in_reverse() -> None:
    async with Service() as service:
        assert service.stopped == []
    assert service.stopped == ["second", "first"]


async def test_a_start_that_fails_half_way_is_undone() -> None:
    service = Service(fails=True)
    with pytest.raises(OSError, match="taken"):
        await service.__aenter__()
    assert service.stopped == ["second", "first"]


async def test_background_work_that_fails_is_begun_again_until_the_stack_unwinds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifecycle, "RESTART_SECONDS", 0.0)
    runs = 0
    going = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError
        going.set()
        await asyncio.Event().wait()

    async with AsyncExitStack() as stack:
        run_in_background(stack, work)
        await asyncio.wait_for(going.wait(), 2)
    assert runs == 3
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert len(asyncio.all_tasks()) == 1
