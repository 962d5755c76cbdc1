"""The coordinator, as far as one person's rights reach: what tools are handed to read with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from libs.rpc.call import Metadata
from libs.rpc.status import error_from_rpc
from storex.agent.v1 import agent_pb2
from storex.diagnostics.v1.diagnostics_pb2_grpc import DiagnosticsServiceStub
from storex.fleet.v1.fleet_pb2_grpc import FleetServiceStub
from storex.history.v1.history_pb2_grpc import HistoryServiceStub
from storex.snapshot.v1.snapshot_pb2_grpc import SnapshotServiceStub

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

MAX_STREAMED = 5000
"""Most messages taken from one stream; a larger answer fails instead of filling the memory."""


class PastSessions(Protocol):
    """The asker's own earlier sessions."""

    async def about(self, reach: Reach, target: str, except_session: str) -> agent_pb2.ListSessionsResponse:
        """Those about a target that the asker may still see, but one."""


class Reach:
    """Calls through the coordinator with the user's token and the agent's own; nothing else can be reached from here.

    `metadata` is asked for anew at each call, so that a rotated service token is used. Each call may take
    `timeout_seconds`.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        metadata: Callable[[], Metadata],
        timeout_seconds: float,
        past: PastSessions | None = None,
        without_rules: Sequence[str] = (),
        *,
        is_judged: bool = False,
    ) -> None:
        self._channel = channel
        self._past = past
        self._metadata = metadata
        self._timeout_seconds = timeout_seconds
        self._is_judged = is_judged
        self.without_rules = tuple(without_rules)
        """Detectors that the shards are to leave out when they judge health; only a candidate has any."""
        self.diagnostics = DiagnosticsServiceStub(channel)
        self.fleet = FleetServiceStub(channel)
        self.history = HistoryServiceStub(channel)
        self.snapshots = SnapshotServiceStub(channel)

    def within(self, timeout_seconds: float) -> Reach:
        """The same, with another limit for each call."""
        return Reach(
            self._channel,
            self._metadata,
            timeout_seconds,
            self._past,
            self.without_rules,
            is_judged=self._is_judged,
        )

    def judged_without(self, rules: Sequence[str]) -> Reach:
        """The same, as a candidate has it: these detectors are left out wherever health is judged, and earlier sessions
        stay closed, because they may hold what another candidate made of the same world."""
        return Reach(self._channel, self._metadata, self._timeout_seconds, None, rules, is_judged=True)

    async def past_sessions(self, target: str, except_session: str) -> agent_pb2.ListSessionsResponse:
        """The asker's own earlier sessions about a target, as far as they may still see them. Raises StorexError."""
        if self._is_judged:
            raise StorexError(Reason.NOT_CAPTURED, what="earlier investigations")
        if self._past is None:
            return agent_pb2.ListSessionsResponse()
        return await self._past.about(self, target, except_session)

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        """The answer of a unary method. Raises StorexError."""
        try:
            return await method(request, metadata=self._metadata(), timeout=self._timeout_seconds)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from None

    async def collect(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request
    ) -> list[Response]:
        """Every message of a streaming method. Raises StorexError, also for more than MAX_STREAMED messages."""
        stream = method(request, metadata=self._metadata(), timeout=self._timeout_seconds)
        received: list[Response] = []
        try:
            async for message in stream:
                received.append(message)
                if len(received) > MAX_STREAMED:
                    raise StorexError(Reason.REQUEST_INVALID, field="name", problem="it covers too many resources")
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from None
        finally:
            stream.cancel()
        return received
