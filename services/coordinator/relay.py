"""Who serves what: finds the peer of a declared method and pipes bytes, without decoding a payload."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import grpc

from libs.core.errors import Reason, StorexError
from libs.rpc.call import CallContext
from libs.rpc.interceptors.base import Context, Handler, this_call
from libs.rpc.methods import SCOPE_REGION, MethodTable
from services.coordinator.fanout import FanOut
from services.coordinator.upstream import Upstream
from storex.common.v1.options_pb2 import Scope


class RelayHandler(grpc.GenericRpcHandler):
    """Handles every declared method that is not the coordinator's own; authorisation has been done before."""

    def __init__(
        self,
        methods: MethodTable,
        shards: Mapping[str, Upstream],
        services: Mapping[Scope.ValueType, Upstream],
        fan_out: FanOut,
    ) -> None:
        """`services` are those that there is one of, by the scope of their methods."""
        self._methods = methods
        self._shards = shards
        self._services = services
        self._fan_out = fan_out

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a method, in bytes; None for what is not declared, or is the coordinator's own."""
        method = self._methods.get(handler_call_details.method)
        if method is None or method.scope not in (SCOPE_REGION, *self._services):
            return None
        peer = self._shard_of if method.scope == SCOPE_REGION else lambda _call: self._services[method.scope]
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(self._streaming(peer))
        return grpc.unary_unary_rpc_method_handler(self._unary(peer))

    def _unary(self, peer: Callable[[CallContext], Upstream]) -> Any:
        async def relay(request: bytes, _context: Context) -> bytes:
            call = this_call()
            return await peer(call).unary(call, request)

        return relay

    def _streaming(self, peer: Callable[[CallContext], Upstream]) -> Any:
        async def relay(request: bytes, _context: Context) -> AsyncGenerator[bytes, None]:
            call = this_call()
            spread = call.name is not None and call.name.is_wildcard and call.snapshot is None
            stream = self._fan_out.stream if spread else peer(call).stream
            async with aclosing(stream(call, request)) as messages:
                async for message in messages:
                    yield message

        return relay

    def _shard_of(self, call: CallContext) -> Upstream:
        if call.name is None:
            raise StorexError(Reason.RPC_NOT_PERMITTED)
        # A snapshot knows of no region but its own, so that a wildcard means that one.
        return self._shards[(call.snapshot or call.name).region]
