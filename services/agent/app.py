"""The one place where the agent is put together."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from libs.core.clock import Clock, SystemClock
from libs.identity import AUDIENCE, ISSUER, FileTokenSource, TokenVerifier
from libs.identity.principal import COORDINATOR
from libs.llm.opening import open_door
from libs.policy import ReloadingPolicy
from libs.rpc.call import CallContext, outgoing_metadata
from libs.rpc.channels import open_channel
from libs.rpc.directory import NoResources
from libs.rpc.interceptors import InterceptorDeps, server_interceptors
from libs.rpc.server import RpcServer, ServerSettings
from libs.telemetry.in_force import show_in_force
from libs.telemetry.metrics import serve_metrics
from libs.telemetry.spans import Tracing
from services.agent.asking import Asking
from services.agent.candidates import Candidates
from services.agent.config import AgentConfig
from services.agent.models import Models
from services.agent.reach import Reach
from services.agent.recording import Recording
from services.agent.servicer import AgentServicer
from services.agent.sessions.own import OwnSessions
from services.agent.sessions.sqlite import SqliteSessionStore
from services.agent.specialists.registry import configured, load_specialists
from services.agent.tools.registry import TOOLS
from services.agent.usage import ModelUsageReport
from storex.agent.v1 import agent_pb2
from storex.agent.v1.agent_pb2_grpc import add_AgentServiceServicer_to_server

_SERVICE = agent_pb2.DESCRIPTOR.services_by_name["AgentService"].full_name

_log = logging.getLogger(__name__)


class App:
    """A running agent. `port` is where it listens, once started."""

    def __init__(self, server: RpcServer, policy: ReloadingPolicy, closing: AsyncExitStack) -> None:
        self._server = server
        self._policy = policy
        self._closing = closing

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.port

    async def start(self) -> None:
        """Listen and take calls. Raises OSError when the address cannot be had."""
        await self._server.start()
        self._closing.push_async_callback(self._server.stop)
        watching = asyncio.create_task(self._policy.watch())
        self._closing.push_async_callback(_cancelled, watching)
        await self._server.set_serving(True)

    async def stop(self) -> None:
        """Let calls finish, then undo everything in reverse."""
        await self._closing.aclose()


async def build(config: AgentConfig, clock: Clock | None = None) -> App:
    """Put the agent together; nothing listens yet. Raises PolicyError, and OSError for the state directory."""
    clock = clock or SystemClock()
    async with AsyncExitStack() as closing:
        registry = CollectorRegistry()
        if config.metrics_port:
            closing.callback(serve_metrics(config.metrics_port, registry))
        policy = ReloadingPolicy(config.policy, clock=clock)
        show_in_force(registry, {"policy": policy.in_force})
        store = SqliteSessionStore(config.state_dir / "agent" / "sessions.db", clock.now())
        closing.push_async_callback(store.close)
        door = open_door(config.state_dir, config.models, clock, registry, closing)
        channel = open_channel(config.coordinator)
        closing.push_async_callback(channel.close)
        own_token = FileTokenSource(config.token_file)
        specialists = configured(load_specialists(TOOLS), config.specialists, TOOLS, config.prompts)
        models = Models(config, door, specialists)
        models.open()

        def reach_for(call: CallContext) -> Reach:
            token = call.token
            return Reach(
                channel,
                lambda: outgoing_metadata(authorization=token, actor=own_token()),
                config.limits.tool_seconds,
                OwnSessions(store, call.caller.user.subject) if call.caller is not None else None,
            )

        recording = Recording(config.recorded_after)
        asking = Asking(store, TOOLS, models.reasoners_for, config.limits, clock, config.notes, recording)
        deps = _interceptor_deps(config, policy, registry, clock)
        server = RpcServer(ServerSettings(config.listen), server_interceptors(deps), [_SERVICE])
        usage = ModelUsageReport(door.ledger, clock, config.models.currency)
        servicer = AgentServicer(asking, Candidates(models, specialists, config.prompts), usage, reach_for)
        add_AgentServiceServicer_to_server(servicer, server.grpc)
        return App(server, policy, closing.pop_all())


def _interceptor_deps(
    config: AgentConfig, policy: ReloadingPolicy, registry: CollectorRegistry, clock: Clock
) -> InterceptorDeps:
    return InterceptorDeps(
        verifier=TokenVerifier(config.state_dir / "issuer" / "jwks.json", ISSUER, AUDIENCE, clock),
        policy=policy,
        directory=NoResources(),
        relay=COORDINATOR,
        tracing=Tracing("agent"),
        registry=registry,
        clock=clock,
    )


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
