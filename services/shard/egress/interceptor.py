"""The innermost interceptor of a shard: whatever a handler returns, yields or raises passes the egress step.

It goes last in the server's list, next to the handlers, so that everything outside of it sees filtered answers only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Never, cast

import grpc
from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from libs.rpc.interceptors.base import OPEN_METHODS, Context, Continuation, Handler, this_call
from services.shard.egress.failures import public_failure
from services.shard.egress.step import EgressStep

_READABLE = frozenset({"invocation_metadata", "time_remaining", "cancelled", "done", "add_done_callback"})


class EgressInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler but health and reflection, which hold nothing of a database."""

    def __init__(self, step: EgressStep) -> None:
        self._step = step

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Wrap the handler; client streams, which no method has, are taken away."""
        handler = await continuation(details)
        if handler is None or details.method in OPEN_METHODS:
            return handler
        if handler.request_streaming:
            return None
        coding = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(self._stream(handler), **coding)
        return grpc.unary_unary_rpc_method_handler(self._unary(handler), **coding)

    def _unary(self, handler: Handler) -> Any:
        async def serve(request: Any, context: Context) -> Message:
            try:
                return self._filtered(await handler.unary_unary(request, _handlers_view(context)))
            except Exception as error:
                raise public_failure(error) from None

        return serve

    def _stream(self, handler: Handler) -> Any:
        async def serve(request: Any, context: Context) -> AsyncIterator[Message]:
            try:
                async with aclosing(handler.unary_stream(request, _handlers_view(context))) as messages:
                    async for message in messages:
                        yield self._filtered(message)
            except Exception as error:
                raise public_failure(error) from None

        return serve

    def _filtered(self, message: Any) -> Message:
        if not isinstance(message, Message):
            raise StorexError(Reason.INTERNAL, detail="a handler answered with something that has no classes")
        return self._step.filtered(message, this_call())


class _HandlersView:
    """The part of a call's context that a handler may use: reading. Answers and errors go through the egress step."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        if name in _READABLE:
            return getattr(self._context, name)
        return _refuse


def _refuse(*_: object, **__: object) -> Never:
    raise StorexError(Reason.INTERNAL, detail="handlers answer by returning or raising StorexError")


def _handlers_view(context: Context) -> Context:
    return cast(Context, _HandlersView(context))
