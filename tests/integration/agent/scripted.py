"""A coordinator whose answers are written down, behind the real gRPC stack, and an agent in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from libs.core.errors import StorexError
from libs.identity import LocalIssuer
from libs.rpc.call import outgoing_metadata
from libs.rpc.status import status_of
from services.agent.app import App, build
from services.agent.config import AgentConfig
from storex.agent.v1 import agent_pb2
from storex.agent.v1.agent_pb2_grpc import AgentServiceStub
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2
from storex.history.v1 import history_pb2

Answer = Callable[[Any], Any]
DATA_SERVICES = (
    diagnostics_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"],
    fleet_pb2.DESCRIPTOR.services_by_name["FleetService"],
    history_pb2.DESCRIPTOR.services_by_name["HistoryService"],
)


@dataclass
class Coordinator:
    """Answers by method name: a message, a list of them for a stream, a StorexError, or a function of the request."""

    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    cancelled: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    services: tuple[Any, ...] = DATA_SERVICES
    port: int = 0

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.calls]

    async def _answer(self, method: str, request: Any, context: Any) -> Any:
        self.calls.append((method, request, dict(context.invocation_metadata())))
        answer = self.answers.get(method)
        if callable(answer):
            answer = answer(request)
        try:
            if asyncio.iscoroutine(answer):
                answer = await answer
        except asyncio.CancelledError:
            self.cancelled.put_nowait(method)
            raise
        if isinstance(answer, StorexError):
            code, message, trailers = status_of(answer, "req_scripted")
            context.set_trailing_metadata(trailers)
            await context.abort(code, message)
        if answer is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "not scripted")
        return answer

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        return [
            grpc.method_handlers_generic_handler(
                service.full_name, {method.name: self._handler(method) for method in service.methods}
            )
            for service in self.services
        ]

    def _handler(self, method: Any) -> grpc.RpcMethodHandler[Any, Any]:
        request_class = method.input_type._concrete_class

        async def unary(request: Any, context: Any) -> Any:
            return await self._answer(method.name, request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            for message in await self._answer(method.name, request, context):
                yield message

        decode, encode = request_class.FromString, method.output_type._concrete_class.SerializeToString
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, decode, encode)
        return grpc.unary_unary_rpc_method_handler(unary, decode, encode)


@dataclass
class Mesh:
    """A running agent, the coordinator behind it, and the way a coordinator would call it."""

    coordinator: Coordinator
    app: App
    issuer: LocalIssuer
    stub: Any

    def metadata(self, user: str = "alice", roles: tuple[str, ...] = ("on-call",)) -> tuple[tuple[str, str], ...]:
        token = self.issuer.issue_user(user, ["payments"], roles)
        return outgoing_metadata(authorization=token, relay=self.issuer.issue_service("coordinator"))

    async def ask(self, target: str, question: str = "why is it slow?", **fields: Any) -> list[agent_pb2.AskResponse]:
        user = fields.pop("user", "alice")
        request = agent_pb2.AskRequest(target=target, question=question, **fields)
        return [event async for event in self.stub.Ask(request, metadata=self.metadata(user), timeout=30)]


@asynccontextmanager
async def serving(services: tuple[Any, ...] = DATA_SERVICES) -> AsyncIterator[Coordinator]:
    """A scripted coordinator that listens, with methods of these services."""
    coordinator = Coordinator(services=services)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(coordinator.handlers())
    coordinator.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield coordinator
    finally:
        await server.stop(None)


@asynccontextmanager
async def running(tmp_path: Path, services: tuple[Any, ...] = DATA_SERVICES, **settings: Any) -> AsyncIterator[Mesh]:
    async with serving(services) as coordinator, _agent_before(coordinator, tmp_path, settings) as mesh:
        yield mesh


@asynccontextmanager
async def _agent_before(coordinator: Coordinator, tmp_path: Path, settings: dict[str, Any]) -> AsyncIterator[Mesh]:
    issuer = LocalIssuer.open(tmp_path)
    token_file = tmp_path / "agent.jwt"
    token_file.write_text(issuer.issue_service("agent"))
    app = await build(
        AgentConfig(
            listen="127.0.0.1:0",
            coordinator=f"127.0.0.1:{coordinator.port}",
            token_file=token_file,
            state_dir=tmp_path,
            **settings,
        )
    )
    await app.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
            yield Mesh(coordinator, app, issuer, AgentServiceStub(channel))
    finally:
        await app.stop()
