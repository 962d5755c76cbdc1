"""Keeping a long call honest: a right that held when it began is asked for again until it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from libs.core.errors import Reason, StorexError

_SHORTEST_PAUSE_SECONDS = 0.01

_log = logging.getLogger(__name__)


@asynccontextmanager
async def while_it_holds(check: Callable[[], float]) -> AsyncIterator[None]:
    """Run a block until `check` raises a StorexError, which then ends the block, also where the block only waits.

    `check` is called at the start, and again after as many seconds as it returned. One that fails in any other way
    ends the block too: a right that cannot be looked at is not held to be there.
    """
    loop = asyncio.get_running_loop()
    limit = asyncio.timeout(None)
    timer: asyncio.TimerHandle | None = None
    ended: StorexError | None = None

    def look() -> None:
        nonlocal timer, ended
        try:
            timer = loop.call_later(max(_SHORTEST_PAUSE_SECONDS, check()), look)
        except StorexError as error:
            ended = error
        except Exception:
            _log.error("a right could not be looked at", exc_info=True)
            ended = StorexError(Reason.INTERNAL)
        if ended is not None:
            limit.reschedule(loop.time())

    try:
        async with limit:
            look()
            yield
    except TimeoutError:
        if ended is not None and limit.expired():
            raise ended from None
        raise
    finally:
        if timer is not None:
            timer.cancel()
