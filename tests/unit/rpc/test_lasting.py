from __future__ import annotations

import asyncio
import time

import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.interceptors.lasting import while_it_holds


async def test_a_block_ends_when_the_right_does_although_it_only_waits() -> None:
    answers = iter((0.01, 0.01))

    def check() -> float:
        try:
            return next(answers)
        except StopIteration:
            raise StorexError(Reason.RPC_NOT_PERMITTED) from None

    started = time.monotonic()
    with pytest.raises(StorexError) as caught:
        async with while_it_holds(check):
            await asyncio.sleep(30)
    assert caught.value.reason is Reason.RPC_NOT_PERMITTED
    assert time.monotonic() - started < 5


async def test_a_right_that_is_not_there_to_begin_with_ends_the_block_at_its_first_wait() -> None:
    def check() -> float:
        raise StorexError(Reason.TOKEN_EXPIRED)

    with pytest.raises(StorexError) as caught:
        async with while_it_holds(check):
            await asyncio.sleep(30)
    assert caught.value.reason is Reason.TOKEN_EXPIRED


async def test_a_right_that_cannot_be_looked_at_is_not_held_to_be_there(caplog: pytest.LogCaptureFixture) -> None:
    def check() -> float:
        raise RuntimeError("disk on fire")

    with pytest.raises(StorexError) as caught:
        async with while_it_holds(check):
            await asyncio.sleep(30)
    assert caught.value.reason is Reason.INTERNAL
    assert "could not be looked at" in caplog.text


async def test_a_blocks_own_timeout_and_its_end_are_left_alone() -> None:
    looked = 0

    def check() -> float:
        nonlocal looked
        looked += 1
        return 0.01

    with pytest.raises(TimeoutError, match="its own"):
        async with while_it_holds(check):
            raise TimeoutError("its own")
    async with while_it_holds(check):
        await asyncio.sleep(0.03)
    before = looked
    await asyncio.sleep(0.05)
    assert looked == before, "nobody looks any more once the block is left"
