"""Starting and stopping a service: parts start in order, stop in reverse, also when a start fails half-way."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self

RESTART_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Lifecycle(ABC):
    """A service that is entered to start and left to drain and stop."""

    _running: AsyncExitStack

    @abstractmethod
    async def start(self, stack: AsyncExitStack) -> None:
        """Start the parts; push onto the stack what stops each."""

    async def __aenter__(self) -> Self:
        """Start; what was started before a failure is stopped again."""
        async with AsyncExitStack() as stack:
            await self.start(stack)
            self._running = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, in the reverse order of starting."""
        await self._running.aclose()


def run_in_background(stack: AsyncExitStack, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Keep some endless work going until the stack unwinds; if it fails, the log says so and it is begun again."""
    task = asyncio.create_task(_kept_going(work))

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _kept_going(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            _log.error("background work failed and is begun again", exc_info=True)
        await asyncio.sleep(RESTART_SECONDS)
