"""Wildcard calls: one leg a region, answers as they come, and a region that fails as an error in the stream."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName
from libs.rpc.call import CallContext
from libs.rpc.interceptors import Policy
from libs.rpc.interceptors.guard import ends_after
from libs.rpc.methods import REGION_ERROR_FIELD
from libs.rpc.status import duration
from services.coordinator.directory import FleetDirectory
from services.coordinator.upstream import Upstream
from storex.common.v1 import error_pb2

SILENCE_SECONDS = 20.0
"""How long a region may send nothing before the others go on without it."""
REJOIN_SECONDS = 3.0
"""How long it takes until a lasting stream asks a region again that went away."""
_KEPT_FOR_ERRORS = 0.1
"""The part of the caller's time that is kept, so that a region's silence can still be told in the answer."""
_BUFFERED_MESSAGES = 64

_log = logging.getLogger(__name__)


class FanOut:
    """Spreads a wildcard call over the regions that it covers for its caller."""

    def __init__(self, shards: Mapping[str, Upstream], directory: FleetDirectory, policy: Policy) -> None:
        self._shards = shards
        self._directory = directory
        self._policy = policy

    async def stream(self, call: CallContext, request: bytes) -> AsyncGenerator[bytes, None]:
        """Every region's messages, in the order in which they arrive."""
        arrived: asyncio.Queue[bytes | None] = asyncio.Queue(_BUFFERED_MESSAGES)
        legs = [asyncio.create_task(self._leg(call, region, request, arrived)) for region in self._regions(call)]
        waiting = len(legs)
        try:
            while waiting:
                message = await arrived.get()
                if message is None:
                    waiting -= 1
                else:
                    yield message
        finally:
            for leg in legs:
                leg.cancel()
            await asyncio.gather(*legs, return_exceptions=True)

    def _regions(self, call: CallContext) -> Sequence[str]:
        """Where the caller may see something, or could for all that is known of the region."""
        name, method, caller = call.name, call.method, call.caller
        if name is None or method is None or caller is None:
            raise StorexError(Reason.RPC_NOT_PERMITTED)
        known = {resource.region for resource in call.resources}
        unread = {view.config.name for view in self._directory.covered(name) if not view.read}
        principals, permission, rpc = caller.principals, method.permission, method.full_method
        return [
            region
            for region in sorted(known | unread)
            if region in known or self._policy.permitted_anywhere(principals, permission, region, rpc=rpc)
        ]

    async def _leg(self, call: CallContext, region: str, request: bytes, arrived: asyncio.Queue[bytes | None]) -> None:
        """One region's part. That of a lasting stream is taken up again once its region is back."""
        began, told = time.monotonic(), False
        while (failure := await self._attempt(call, region, request, arrived)) is not None:
            if not told or time.monotonic() - began > REJOIN_SECONDS:
                await arrived.put(region_error(call, region, failure))
            if not _lasts(call) or failure.reason is not Reason.SHARD_UNAVAILABLE:
                break
            await asyncio.sleep(REJOIN_SECONDS)
            began, told = time.monotonic(), True
        await arrived.put(None)

    async def _attempt(
        self, call: CallContext, region: str, request: bytes, arrived: asyncio.Queue[bytes | None]
    ) -> StorexError | None:
        try:
            await self._pass_on(call, region, request, arrived)
        except StorexError as error:
            return error
        except Exception:
            _log.error("a region's leg failed", exc_info=True)
            return StorexError(Reason.INTERNAL)
        return None

    async def _pass_on(
        self, call: CallContext, region: str, request: bytes, arrived: asyncio.Queue[bytes | None]
    ) -> None:
        now = time.monotonic()
        end = now + (call.deadline - now) * (1 - _KEPT_FOR_ERRORS) if call.deadline is not None else float("inf")
        async with aclosing(self._shards[region].stream(call, request)) as messages:
            while True:
                # Of a lasting stream silence is no news; that its region is gone is told by the channel's keepalive.
                silence = float("inf") if _lasts(call) else min(SILENCE_SECONDS, end - time.monotonic())
                async with ends_after(silence, Reason.SHARD_UNAVAILABLE):
                    message = await anext(messages, None)
                if message is None:
                    return
                await arrived.put(message)


def _lasts(call: CallContext) -> bool:
    return call.method is not None and call.method.lasting


def region_error(call: CallContext, region: str, error: StorexError) -> bytes:
    """A streamed response that holds nothing but the error of one region, without knowing the response's type."""
    told = StorexError(error.reason)
    told.metadata = {**error.metadata, "request_id": call.request_id}
    content = error_pb2.RegionError(
        name=str(ResourceName(region)),
        code=int(error.reason.spec.status),
        reason=error.reason.name,
        message=told.public_message,
        retry_delay=None if error.retry_seconds is None else duration(error.retry_seconds),
    ).SerializeToString()
    tag = REGION_ERROR_FIELD << 3 | 2  # a length-delimited field
    return _varint(tag) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
