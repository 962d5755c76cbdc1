"""Request id and trace: what every later line, metric and error of a call is tied together by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc

from libs.core.ids import accept_request_id
from libs.rpc.call import REQUEST_ID, TRACEPARENT, CallContext, enter_call
from libs.rpc.interceptors.base import CallInterceptor, Continuation, Incoming, without_waiting
from libs.rpc.methods import MethodTable
from libs.telemetry.logs import log_fields
from libs.telemetry.spans import Tracing, parse_traceparent


class RequestContext(CallInterceptor):
    """Enters the call: its request id, its method as declared, its metadata and its span."""

    def __init__(self, methods: MethodTable, tracing: Tracing) -> None:
        self._methods = methods
        self._tracing = tracing
        self._handlers: dict[str, Any] = {}
        """What the whole chain made of each declared method's handler: the same for every call of it."""

    async def intercept_service(self, continuation: Continuation, details: grpc.HandlerCallDetails) -> Any:
        """Enter the call before any other interceptor sees it; gRPC runs each call in a task of its own."""
        metadata: dict[str, list[str]] = {}
        for key, value in details.invocation_metadata or ():
            if isinstance(value, str):
                metadata.setdefault(key, []).append(value)
        method = self._methods.get(details.method)
        enter_call(CallContext(accept_request_id(_only(metadata.get(REQUEST_ID))), details.method, method, metadata))
        handler = self._handlers.get(details.method)
        if handler is None:
            handler = await super().intercept_service(continuation, details)
            if method is not None:  # of paths that a peer makes up there is no end
                self._handlers[details.method] = handler
        return handler

    @without_waiting
    def around(self, incoming: Incoming) -> Iterator[None]:
        """Run the rest inside a span, and make log lines carry the request and trace ids."""
        call = incoming.call
        parent = parse_traceparent(_only(call.metadata.get(TRACEPARENT)) or "")
        with self._tracing.span(call.method.full_method if call.method else "undeclared", parent) as span:
            call.traceparent = span.context.header
            log_fields.set({"request_id": call.request_id, "trace_id": f"{span.context.trace_id:032x}"})
            try:
                yield
            finally:
                span.set("rpc.reason", call.failure.name if call.failure else "OK")


def _only(values: list[str] | Any) -> str | None:
    return values[0] if values and len(values) == 1 else None
