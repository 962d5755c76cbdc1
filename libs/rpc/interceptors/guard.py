"""Size and deadline: no call may be larger or longer than the server is willing to bear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.rpc.call import CallContext
from libs.rpc.interceptors.base import CallInterceptor, Incoming


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Limits of a single call; times in seconds."""

    request_bytes: int = 256 * 1024
    unary_seconds: float = 60.0
    stream_seconds: float = 900.0
    default_unary_seconds: float = 30.0
    concurrent_calls: int = 64
    """Calls that one principal may have under way at one server."""


class Guard(CallInterceptor):
    """Refuses large requests, and gives every call a deadline: the client's, but never later than the limit."""

    def __init__(self, limits: CallLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock

    def around(self, incoming: Incoming) -> AbstractAsyncContextManager[None]:
        """Raises StorexError REQUEST_TOO_LARGE or DEADLINE_EXCEEDED."""
        call = incoming.call
        if len(incoming.request) > self._limits.request_bytes:
            raise StorexError(Reason.REQUEST_TOO_LARGE, limit_bytes=str(self._limits.request_bytes))
        seconds = self._seconds(call, incoming.context.time_remaining())
        if seconds <= 0:
            raise StorexError(Reason.DEADLINE_EXCEEDED)
        call.deadline = self._clock.monotonic() + seconds
        return ends_after(seconds, Reason.DEADLINE_EXCEEDED)

    def _seconds(self, call: CallContext, remaining: float | None) -> float:
        streaming = call.method is not None and call.method.server_streaming
        longest = self._limits.stream_seconds if streaming else self._limits.unary_seconds
        if remaining is None:
            return longest if streaming else min(longest, self._limits.default_unary_seconds)
        return min(longest, remaining)


@asynccontextmanager
async def ends_after(seconds: float, reason: Reason) -> AsyncIterator[None]:
    """Run a block for at most so long, then end it with a StorexError of that reason."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise StorexError(reason) from None
        raise
