"""What all interceptors have in common: one `around` for every kind of call, on undecoded requests.

Handlers are turned into handlers of bytes once, by the innermost interceptor, so that a request is decoded only after
it has been let through, and so that a typed servicer and a relay of bytes pass through the same chain.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, contextmanager
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError

from libs.core.errors import Reason, StorexError
from libs.rpc.call import CallContext, current_call

Handler = Any
"""A grpc.RpcMethodHandler; its published types describe the synchronous API only."""
Context = grpc.aio.ServicerContext[Any, Any]
Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]

OPEN_METHODS = frozenset(
    {
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    }
)
"""What needs no token: health, for probes and balancers, and the contracts, which are public anyway."""


Step = TypeVar("Step")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A call on its way in: what is known of it, its request as it came, and gRPC's own context."""

    call: CallContext
    request: bytes
    context: Context


class CallInterceptor(grpc.aio.ServerInterceptor):
    """An interceptor that does its part in `around`, before and after the rest of the chain."""

    def around(self, incoming: Incoming) -> AbstractAsyncContextManager[None]:
        """The part of this interceptor; raising in it ends the call."""
        raise NotImplementedError

    def before_message(self, call: CallContext) -> None:
        """Called before each message of a stream leaves; raising in it ends the stream."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Wrap the handler that the rest of the chain came up with."""
        handler = await continuation(details)
        if details.method in OPEN_METHODS:
            return handler
        inner = bytes_handler(handler)
        if inner.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(self._around_stream(inner.unary_stream))
        if inner.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._around_unary(inner.unary_unary))
        return inner

    def _around_unary(self, inner: Callable[[bytes, Context], Awaitable[bytes]]) -> Any:
        async def serve(request: bytes, context: Context) -> bytes:
            async with self.around(Incoming(this_call(), request, context)):
                return await inner(request, context)

        return serve

    def _around_stream(self, inner: Callable[[bytes, Context], AsyncGenerator[bytes, None]]) -> Any:
        async def serve(request: bytes, context: Context) -> AsyncIterator[bytes]:
            call = this_call()
            async with self.around(Incoming(call, request, context)), aclosing(inner(request, context)) as messages:
                async for message in messages:
                    self.before_message(call)
                    yield message

        return serve


class _WithoutWaiting(AbstractAsyncContextManager[None]):
    __slots__ = ("_inner",)

    def __init__(self, inner: AbstractContextManager[None]) -> None:
        self._inner = inner

    async def __aenter__(self) -> None:
        self._inner.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._inner.__exit__(kind, error, trace)


def without_waiting(
    around: Callable[[Step, Incoming], Iterator[None]],
) -> Callable[[Step, Incoming], AbstractAsyncContextManager[None]]:
    """Make an `around` out of a generator that awaits nothing: half the cost of one that could."""
    begin = contextmanager(around)

    @wraps(around)
    def managed(interceptor: Step, incoming: Incoming) -> AbstractAsyncContextManager[None]:
        return _WithoutWaiting(begin(interceptor, incoming))

    return managed


def this_call() -> CallContext:
    """The current call; the outermost interceptor has entered it."""
    call = current_call()
    if call is None:
        raise StorexError(Reason.INTERNAL, detail="the request context interceptor is not the outermost")
    return call


def bytes_handler(handler: Handler | None) -> Handler:
    """The handler over undecoded messages; for a missing one, or a client stream, one that answers UNIMPLEMENTED."""
    if handler is None or handler.request_streaming:
        return grpc.unary_stream_rpc_method_handler(_unimplemented)
    if handler.request_deserializer is None and handler.response_serializer is None:
        return handler
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler(_stream_of_bytes(handler))
    return grpc.unary_unary_rpc_method_handler(_unary_of_bytes(handler))


async def _unimplemented(*_: object) -> AsyncIterator[bytes]:
    raise StorexError(Reason.UNIMPLEMENTED)
    yield b""  # makes this a stream, which fits every kind of client


def _decode(handler: Handler, request: bytes) -> Any:
    try:
        return request if handler.request_deserializer is None else handler.request_deserializer(request)
    except DecodeError:
        raise StorexError(Reason.REQUEST_MALFORMED) from None


def _encode(handler: Handler, response: Any) -> bytes:
    encoded: bytes = response if handler.response_serializer is None else handler.response_serializer(response)
    return encoded


def _unary_of_bytes(handler: Handler) -> Any:
    async def serve(request: bytes, context: Context) -> bytes:
        return _encode(handler, await handler.unary_unary(_decode(handler, request), context))

    return serve


def _stream_of_bytes(handler: Handler) -> Any:
    async def serve(request: bytes, context: Context) -> AsyncIterator[bytes]:
        async with aclosing(handler.unary_stream(_decode(handler, request), context)) as messages:
            async for message in messages:
                yield _encode(handler, message)

    return serve
