"""A relay that writes down every byte and every metadata value that passes on its way to a coordinator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio


@dataclass
class Recorder(grpc.GenericRpcHandler):
    """Relays any method; a unary answer is a stream of one message on the wire."""

    upstream: grpc.aio.Channel
    sent: list[bytes] = field(default_factory=list)
    port: int = 0

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = handler_call_details.method
        metadata = tuple((str(key), value) for key, value in handler_call_details.invocation_metadata or ())

        async def relay(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[bytes]:
            self.sent += [method.encode(), request, *(_bytes(value) for pair in metadata for value in pair)]
            passed = tuple(pair for pair in metadata if not pair[0].startswith(("grpc-", "user-agent")))
            ask: Any = self.upstream.unary_stream(method)
            call = ask(request, metadata=passed, timeout=context.time_remaining())
            try:
                async for message in call:
                    yield message
            except grpc.aio.AioRpcError as error:
                context.set_trailing_metadata(tuple(error.trailing_metadata()))
                await context.abort(error.code(), error.details() or "")
            finally:
                call.cancel()

        return grpc.unary_stream_rpc_method_handler(relay)

    def saw(self, text: str) -> bool:
        """Whether the text passed, in a message or beside one."""
        return any(text.encode() in one for one in self.sent)


@asynccontextmanager
async def recording(upstream: str) -> AsyncIterator[Recorder]:
    """A recorder that listens, in front of a coordinator."""
    async with grpc.aio.insecure_channel(upstream) as channel:
        recorder = Recorder(channel)
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((recorder,))
        recorder.port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield recorder
        finally:
            await server.stop(None)


def _bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
