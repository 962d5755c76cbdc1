"""A shard or the agent, seen from the coordinator: calls in bytes, its own proof beside the user's."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import grpc

from libs.core.errors import Reason, StorexError
from libs.identity import TokenSource
from libs.rpc.call import CallContext, outgoing_metadata
from libs.rpc.channels import open_channel
from libs.rpc.status import error_from_rpc

_ABOUT_TOKENS = frozenset({Reason.TOKEN_MISSING, Reason.TOKEN_INVALID, Reason.TOKEN_EXPIRED})

_log = logging.getLogger(__name__)


class Upstream:
    """One peer. Its failures come back as StorexError; `unavailable` is the reason for one that cannot be reached."""

    def __init__(self, address: str, unavailable: Reason, own_token: TokenSource) -> None:
        self._channel: Any = open_channel(address) if address else None
        self._unavailable = unavailable
        self._own_token = own_token
        self._stubs: dict[tuple[str, bool], Any] = {}

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        if self._channel is not None:
            await self._channel.close()

    async def unary(self, call: CallContext, request: bytes) -> bytes:
        """Pass a unary call on."""
        try:
            answer: bytes = await self._start(call, request, streaming=False)
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, call) from None
        return answer

    async def stream(self, call: CallContext, request: bytes) -> AsyncGenerator[bytes, None]:
        """Pass a streaming call on; the peer's stream ends with this generator, however that ends."""
        async with aclosing(self._piped(self._start(call, request, streaming=True), call)) as messages:
            async for message in messages:
                yield message

    async def own_stream(self, method: str, request: bytes, timeout_seconds: float) -> AsyncGenerator[bytes, None]:
        """A streaming call in the coordinator's own name."""
        token = self._own_token()
        metadata = outgoing_metadata(authorization=token, relay=token)
        started = self._stub(method, streaming=True)(request, metadata=metadata, timeout=timeout_seconds)
        async with aclosing(self._piped(started)) as messages:
            async for message in messages:
                yield message

    async def _piped(self, started: Any, call: CallContext | None = None) -> AsyncGenerator[bytes, None]:
        answered = False
        try:
            async for message in started:
                answered = True
                yield message
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, call, answered=answered) from None
        finally:
            # Leaving the loop does not end the peer's work; a client that went away would leave it running.
            started.cancel()

    def _failure(self, error: grpc.aio.AioRpcError, call: CallContext | None, *, answered: bool = False) -> StorexError:
        failure = error_from_rpc(error, unavailable=self._unavailable)
        if failure.reason is Reason.RPC_NOT_PERMITTED and not answered and call is not None and call.name is not None:
            # The region's own policy hides what ours shows. Told apart, the two answers would say that it is there.
            return StorexError(Reason.RESOURCE_NOT_FOUND)
        if failure.reason not in _ABOUT_TOKENS:
            return failure
        if call is not None and call.caller is not None and call.caller.expires_at <= time.time():
            return StorexError(Reason.TOKEN_EXPIRED)
        # The caller's token was verified here a moment ago, so what the peer does not accept is our own.
        _log.error("a peer refused the coordinator's own token", extra={"fields": {"reason": failure.reason.name}})
        return StorexError(self._unavailable)

    def _start(self, call: CallContext, request: bytes, *, streaming: bool) -> Any:
        metadata = outgoing_metadata(authorization=call.token, actor=call.actor_token, relay=self._own_token())
        timeout = None if call.deadline is None else max(0.0, call.deadline - time.monotonic())
        return self._stub(call.full_method, streaming=streaming)(request, metadata=metadata, timeout=timeout)

    def _stub(self, method: str, *, streaming: bool) -> Any:
        if self._channel is None:
            raise StorexError(self._unavailable, detail="no address is configured")
        key = (method, streaming)
        if key not in self._stubs:
            self._stubs[key] = (self._channel.unary_stream if streaming else self._channel.unary_unary)(method)
        return self._stubs[key]
