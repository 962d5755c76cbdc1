"""The coordinator, as far as the evaluating person's rights reach, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import grpc.aio
from google.protobuf.message import Message

from libs.rpc.call import SNAPSHOT, Metadata
from libs.rpc.status import error_from_rpc
from storex.agent.v1.agent_pb2 import AskRequest, AskResponse
from storex.agent.v1.agent_pb2_grpc import AgentServiceStub
from storex.snapshot.v1.snapshot_pb2_grpc import SnapshotServiceStub

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

CALL_SECONDS = 10.0
"""How long one look at a snapshot may take."""
ANSWER_SECONDS = 180.0
"""How long one question may take."""


class Reach:
    """Calls with the person's token and the judge's own; `metadata` is asked for anew at each call."""

    def __init__(self, channel: grpc.aio.Channel, metadata: Callable[[], Metadata]) -> None:
        self._metadata = metadata
        self._agent = AgentServiceStub(channel)
        self.snapshots = SnapshotServiceStub(channel)

    async def call(self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        """The answer of a unary method. Raises StorexError."""
        try:
            return await method(request, metadata=self._metadata(), timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from None

    async def ask(self, request: AskRequest, world: str) -> AsyncGenerator[AskResponse, None]:
        """The events of a question about a world. Ending the iteration cancels it. Raises StorexError."""
        metadata = (*(pair for pair in self._metadata() if pair[0] != SNAPSHOT), (SNAPSHOT, world))
        stream = self._agent.Ask(request, metadata=metadata, timeout=ANSWER_SECONDS)
        try:
            async for event in stream:
                yield event
        except grpc.aio.AioRpcError as error:
            raise error_from_rpc(error) from None
        finally:
            stream.cancel()
