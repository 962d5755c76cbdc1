"""How much one principal may have under way at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from inspect import isasyncgenfunction
from typing import Any

import grpc

from libs.core.errors import Reason, StorexError
from libs.rpc.interceptors.base import (
    OPEN_METHODS,
    CallInterceptor,
    Context,
    Continuation,
    Handler,
    Incoming,
    without_waiting,
)
from libs.rpc.interceptors.guard import CallLimits
from libs.rpc.status import grpc_code


class RateLimit(CallInterceptor):
    """Bounds the calls of each user, whoever acts for them, so that nobody takes the server from everybody else.

    Callers of the open methods are nobody in particular and share one bound.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._limit = limits.concurrent_calls
        self._active: Counter[str] = Counter()

    @without_waiting
    def around(self, incoming: Incoming) -> Iterator[None]:
        """Raises StorexError RATE_LIMITED."""
        with self._slot(incoming.call.caller.user.subject if incoming.call.caller else ""):
            yield

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Bound the open methods too, which the other interceptors leave alone."""
        handler = await super().intercept_service(continuation, details)
        return handler if details.method not in OPEN_METHODS or handler is None else self._bounded(handler)

    @contextmanager
    def _slot(self, subject: str) -> Iterator[None]:
        if self._active[subject] >= self._limit:
            raise StorexError(Reason.RATE_LIMITED)
        self._active[subject] += 1
        try:
            yield
        finally:
            self._active[subject] -= 1
            if not self._active[subject]:
                del self._active[subject]

    def _bounded(self, handler: Handler) -> Handler:
        behaviours = {kind: getattr(handler, kind) for kind in ("unary_unary", "unary_stream", "stream_stream")}
        bounded = {kind: self._bounded_behaviour(inner) for kind, inner in behaviours.items() if inner is not None}
        return handler._replace(**bounded)

    def _bounded_behaviour(self, inner: Any) -> Any:
        async def answer(request: Any, context: Context) -> Any:
            try:
                with self._slot(""):
                    return await inner(request, context)
            except StorexError as error:
                await context.abort(grpc_code(error.reason), error.public_message)

        async def stream(requests: Any, context: Context) -> AsyncIterator[Any]:
            try:
                with self._slot(""):
                    async for message in inner(requests, context):
                        yield message
            except StorexError as error:
                await context.abort(grpc_code(error.reason), error.public_message)

        return stream if isasyncgenfunction(inner) else answer
