"""An agent that says who asked, behind the real chain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CollectorRegistry

from libs.identity import AUDIENCE, ISSUER, LocalIssuer, TokenVerifier
from libs.identity.principal import COORDINATOR
from libs.policy import load_policy
from libs.rpc.call import CallContext, current_call
from libs.rpc.interceptors import InterceptorDeps, server_interceptors
from libs.rpc.server import RpcServer, ServerSettings
from libs.telemetry.spans import Tracing
from storex.agent.v1 import agent_pb2, agent_pb2_grpc
from tests.integration.rpc.scripted import StaticDirectory


class _Servicer(agent_pb2_grpc.AgentServiceServicer):
    def __init__(self) -> None:
        self.calls: list[CallContext] = []

    async def Ask(self, request: agent_pb2.AskRequest, context: Any) -> AsyncIterator[agent_pb2.AskResponse]:
        call = current_call()
        assert call is not None
        assert call.caller is not None
        self.calls.append(call)
        yield agent_pb2.AskResponse(session_started=agent_pb2.SessionStarted(session_id=call.caller.user.subject))
        yield agent_pb2.AskResponse(notice=agent_pb2.Notice(text=request.question))

    async def GetSession(self, request: agent_pb2.GetSessionRequest, context: Any) -> agent_pb2.GetSessionResponse:
        return agent_pb2.GetSessionResponse(session=agent_pb2.Session(session_id=request.session_id))

    async def ListSessions(self, request: Any, context: Any) -> agent_pb2.ListSessionsResponse:
        return agent_pb2.ListSessionsResponse()

    async def ListModelUsage(self, request: Any, context: Any) -> agent_pb2.ListModelUsageResponse:
        return agent_pb2.ListModelUsageResponse()


class ScriptedAgent:
    """The servicer above on a port."""

    def __init__(self, issuer: LocalIssuer) -> None:
        self.servicer = _Servicer()
        deps = InterceptorDeps(
            verifier=TokenVerifier(issuer.jwks_path, ISSUER, AUDIENCE),
            policy=load_policy(None),
            directory=StaticDirectory([]),
            relay=COORDINATOR,
            tracing=Tracing("agent"),
            registry=CollectorRegistry(),
        )
        self.server = RpcServer(
            ServerSettings("127.0.0.1:0"), server_interceptors(deps), ("storex.agent.v1.AgentService",)
        )
        agent_pb2_grpc.add_AgentServiceServicer_to_server(self.servicer, self.server.grpc)

    async def __aenter__(self) -> ScriptedAgent:
        await self.server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"
