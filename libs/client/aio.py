"""The client for asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from libs.client.connection import CHANNEL_OPTIONS, STREAM_SECONDS, UNARY_SECONDS, TokenSource, call_metadata
from libs.client.failures import call_error
from storex.agent.v1.agent_pb2_grpc import AgentServiceStub
from storex.diagnostics.v1.diagnostics_pb2_grpc import DiagnosticsServiceStub
from storex.fleet.v1.fleet_pb2_grpc import FleetServiceStub
from storex.history.v1.history_pb2_grpc import HistoryServiceStub
from storex.judge.v1.judge_pb2_grpc import JudgeServiceStub
from storex.snapshot.v1.snapshot_pb2_grpc import SnapshotServiceStub

if TYPE_CHECKING:
    from storex.agent.v1.agent_pb2_grpc import AgentServiceAsyncStub
    from storex.diagnostics.v1.diagnostics_pb2_grpc import DiagnosticsServiceAsyncStub
    from storex.fleet.v1.fleet_pb2_grpc import FleetServiceAsyncStub
    from storex.history.v1.history_pb2_grpc import HistoryServiceAsyncStub
    from storex.judge.v1.judge_pb2_grpc import JudgeServiceAsyncStub
    from storex.snapshot.v1.snapshot_pb2_grpc import SnapshotServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncStorexClient:
    """A connection to a coordinator at `host:port`, made inside a running loop; close it, or use `async with`."""

    def __init__(self, address: str, token: TokenSource, snapshot: str = "") -> None:
        """With a snapshot's name every call is answered from that, in place of the live instance."""
        self._address = address
        self._token = token
        self.snapshot = snapshot
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.fleet: FleetServiceAsyncStub = FleetServiceStub(self._channel)
        self.diagnostics: DiagnosticsServiceAsyncStub = DiagnosticsServiceStub(self._channel)
        self.history: HistoryServiceAsyncStub = HistoryServiceStub(self._channel)
        self.snapshots: SnapshotServiceAsyncStub = SnapshotServiceStub(self._channel)
        self.agent: AgentServiceAsyncStub = AgentServiceStub(self._channel)
        self.judge: JudgeServiceAsyncStub = JudgeServiceStub(self._channel)

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        seconds: float = UNARY_SECONDS,
    ) -> Response:
        """Call a unary method of one of the stubs. Raises CallError."""
        try:
            return await method(request, timeout=seconds, metadata=call_metadata(self._token, self.snapshot))
        except grpc.aio.AioRpcError as error:
            raise call_error(error, self._address) from None

    async def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        *,
        seconds: float = STREAM_SECONDS,
    ) -> AsyncGenerator[Response, None]:
        """Call a streaming method; closing the iteration cancels the call. Raises CallError."""
        call = method(request, timeout=seconds, metadata=call_metadata(self._token, self.snapshot))
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise call_error(error, self._address) from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
