"""The client for ordinary, blocking code."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Self, TypeVar

import grpc

from libs.client.connection import (
    CHANNEL_OPTIONS,
    LISTING_SECONDS,
    STREAM_SECONDS,
    UNARY_SECONDS,
    TokenSource,
    call_metadata,
)
from libs.client.failures import call_error
from libs.client.targets import Listing
from storex.agent.v1.agent_pb2_grpc import AgentServiceStub
from storex.diagnostics.v1.diagnostics_pb2_grpc import DiagnosticsServiceStub
from storex.fleet.v1.fleet_pb2 import ListRegionsRequest, StreamInstancesRequest
from storex.fleet.v1.fleet_pb2_grpc import FleetServiceStub
from storex.history.v1.history_pb2_grpc import HistoryServiceStub
from storex.judge.v1.judge_pb2_grpc import JudgeServiceStub
from storex.snapshot.v1.snapshot_pb2_grpc import SnapshotServiceStub

Request = TypeVar("Request")
Response = TypeVar("Response")


class StorexClient:
    """A connection to a coordinator at `host:port`; close it, or use it as a context manager."""

    def __init__(self, address: str, token: TokenSource, snapshot: str = "") -> None:
        """With a snapshot's name every call is answered from that, in place of the live instance."""
        self._address = address
        self._token = token
        self.snapshot = snapshot
        self._channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        self.fleet = FleetServiceStub(self._channel)
        self.diagnostics = DiagnosticsServiceStub(self._channel)
        self.history = HistoryServiceStub(self._channel)
        self.snapshots = SnapshotServiceStub(self._channel)
        self.agent = AgentServiceStub(self._channel)
        self.judge = JudgeServiceStub(self._channel)

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        seconds: float = UNARY_SECONDS,
    ) -> Response:
        """Call a unary method of one of the stubs. Raises CallError."""
        try:
            return method(request, timeout=seconds, metadata=call_metadata(self._token, self.snapshot))
        except grpc.RpcError as error:
            raise call_error(error, self._address) from None

    def stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        *,
        seconds: float = STREAM_SECONDS,
    ) -> Generator[Response, None, None]:
        """Call a streaming method; leaving the iteration cancels the call. Raises CallError."""
        call = method(request, timeout=seconds, metadata=call_metadata(self._token, self.snapshot))
        try:
            yield from call
        except grpc.RpcError as error:
            raise call_error(error, self._address) from None
        finally:
            call.cancel()

    def listing(self) -> Listing:
        """Every region and instance that the caller may see. Raises CallError."""
        listing = Listing()
        token = ""
        while True:
            page = self.call(self.fleet.ListRegions, ListRegionsRequest(page_token=token))
            listing.regions.extend(page.regions)
            token = page.next_page_token
            if not token:
                break
        request = StreamInstancesRequest(name="regions/-")
        for answer in self.stream(self.fleet.StreamInstances, request, seconds=LISTING_SECONDS):
            listing.add(answer)
        return listing

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
