"""Builds the judge: the only place where its parts are made and wired."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack

import grpc.aio
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
from libs.rpc.lifecycle import Lifecycle, run_in_background
from libs.rpc.server import RpcServer, ServerSettings
from libs.telemetry.in_force import show_in_force
from libs.telemetry.metrics import serve_metrics
from libs.telemetry.spans import Tracing
from services.judge.config import JudgeSettings
from services.judge.grading.grader import Grader
from services.judge.judging import Judging
from services.judge.reach import Reach
from services.judge.servicer import JudgeServicer
from services.judge.store import JudgeStore
from storex.judge.v1 import judge_pb2
from storex.judge.v1.judge_pb2_grpc import add_JudgeServiceServicer_to_server

_SERVICE = judge_pb2.DESCRIPTOR.services_by_name["JudgeService"].full_name
_DRAIN_SECONDS = 3.0


class App(Lifecycle):
    """The running judge: enter it to start, leave it to drain and stop."""

    def __init__(self, settings: JudgeSettings) -> None:
        """Wire the judge. Raises PolicyError, and OSError for the state directory; make it on the event loop."""
        self._settings = settings
        config = settings.process.config
        self._tracing, self._registry, self._closing = Tracing("judge"), CollectorRegistry(), AsyncExitStack()
        self._policy = ReloadingPolicy(config.policy)
        show_in_force(self._registry, {"policy": self._policy.in_force})
        clock = SystemClock()
        self._store = JudgeStore(config.state_dir / "judge" / "judge.db")
        self._channel = open_channel(settings.coordinator)
        deps = InterceptorDeps(
            verifier=TokenVerifier(config.state_dir / "issuer" / "jwks.json", ISSUER, AUDIENCE, clock),
            policy=self._policy,
            directory=NoResources(),
            relay=COORDINATOR,
            tracing=self._tracing,
            registry=self._registry,
            clock=clock,
        )
        self.server = RpcServer(ServerSettings(settings.process.listen), server_interceptors(deps), [_SERVICE])
        reach_for = _reaching(self._channel, FileTokenSource(settings.process.token_file))
        grader = self._grader(clock)
        servicer = JudgeServicer(Judging(self._store, clock, grader, config.judge), reach_for)
        add_JudgeServiceServicer_to_server(servicer, self.server.grpc)

    def _grader(self, clock: Clock) -> Grader:
        config = self._settings.process.config
        door = open_door(config.state_dir, config.models, clock, self._registry, self._closing)
        domains = {name: region.domain for name, region in config.regions.items()}
        return Grader(door, config.models, config.judge.models, domains)

    async def start(self, stack: AsyncExitStack) -> None:
        """Start the parts. Raises OSError for a taken port."""
        stack.callback(self._tracing.shutdown)
        stack.push_async_callback(self._closing.aclose)
        stack.push_async_callback(self._store.close)
        stack.push_async_callback(self._channel.close)
        if self._settings.process.metrics_port:
            stack.callback(serve_metrics(self._settings.process.metrics_port, self._registry))
        run_in_background(stack, self._policy.watch)
        await self.server.start()
        stack.push_async_callback(self.server.stop, _DRAIN_SECONDS)
        await self.server.set_serving(True)


def build(settings: JudgeSettings) -> App:
    """The judge, wired and not started; see `App`."""
    return App(settings)


def _reaching(channel: grpc.aio.Channel, own_token: FileTokenSource) -> Callable[[CallContext], Reach]:
    """Reaches with the token of whoever a call belongs to, and the judge's own as it is at that moment."""

    def reach_for(call: CallContext) -> Reach:
        token = call.token
        return Reach(channel, lambda: outgoing_metadata(authorization=token, actor=own_token()))

    return reach_for
