"""Builds the coordinator: the only place where its parts are made and wired."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress

import grpc
from prometheus_client import CollectorRegistry

from libs.core.errors import Reason
from libs.identity import AUDIENCE, ISSUER, FileTokenSource, TokenVerifier
from libs.policy import ReloadingPolicy
from libs.rpc.interceptors import CallLimits, InterceptorDeps, server_interceptors
from libs.rpc.lifecycle import Lifecycle, run_in_background
from libs.rpc.methods import METHODS, SCOPE_AGENT, SCOPE_JUDGE
from libs.rpc.server import RpcServer, ServerSettings
from libs.telemetry.in_force import show_in_force
from libs.telemetry.metrics import serve_metrics
from libs.telemetry.spans import Tracing
from services.coordinator.config import CoordinatorSettings
from services.coordinator.directory import FleetDirectory
from services.coordinator.fanout import FanOut
from services.coordinator.inventory import InventoryRefresh
from services.coordinator.regions import RegionListing
from services.coordinator.relay import RelayHandler
from services.coordinator.servicer import FleetServicer
from services.coordinator.upstream import Upstream
from storex.fleet.v1 import fleet_pb2

FIRST_INVENTORY_SECONDS = 3.0
"""How long a start waits for the shards before it serves those that answered."""
DRAIN_SECONDS = 3.0


class App(Lifecycle):
    """The running coordinator: enter it to start, leave it to drain and stop."""

    def __init__(
        self,
        settings: CoordinatorSettings,
        server: RpcServer,
        policy: ReloadingPolicy,
        refreshes: list[InventoryRefresh],
        upstreams: list[Upstream],
        registry: CollectorRegistry,
        tracing: Tracing,
    ) -> None:
        self.server = server
        self._settings = settings
        self._policy = policy
        self._refreshes = refreshes
        self._upstreams = upstreams
        self._registry = registry
        self._tracing = tracing

    async def start(self, stack: AsyncExitStack) -> None:
        """Start the parts. Raises OSError for a taken port."""
        stack.callback(self._tracing.shutdown)
        for upstream in self._upstreams:
            stack.push_async_callback(upstream.close)
        if self._settings.process.metrics_port:
            stack.callback(serve_metrics(self._settings.process.metrics_port, self._registry))
        run_in_background(stack, self._policy.watch)
        for refresh in self._refreshes:
            run_in_background(stack, refresh.run)
        await self.server.start()
        stack.push_async_callback(self.server.stop, DRAIN_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_INVENTORY_SECONDS):
                await asyncio.gather(*(refresh.tried.wait() for refresh in self._refreshes))
        await self.server.set_serving(True)


def build(settings: CoordinatorSettings) -> App:
    """Wire the coordinator. Raises PolicyError; call it on the event loop."""
    config = settings.process.config
    tracing, registry = Tracing("coordinator"), CollectorRegistry()
    policy = ReloadingPolicy(config.policy)
    show_in_force(registry, {"policy": policy.in_force})
    directory = FleetDirectory(config.regions.values())
    own_token = FileTokenSource(settings.process.token_file)
    shards = {
        region: Upstream(settings.shards.get(region, ""), Reason.SHARD_UNAVAILABLE, own_token)
        for region in config.regions
    }
    services = {
        SCOPE_AGENT: Upstream(settings.agent, Reason.AGENT_UNAVAILABLE, own_token),
        SCOPE_JUDGE: Upstream(settings.judge, Reason.JUDGE_UNAVAILABLE, own_token),
    }
    deps = InterceptorDeps(
        verifier=TokenVerifier(config.state_dir / "issuer" / "jwks.json", ISSUER, AUDIENCE),
        policy=policy,
        directory=directory,
        relay=None,
        tracing=tracing,
        registry=registry,
        limits=CallLimits(),
    )
    server = RpcServer(ServerSettings(settings.process.listen), server_interceptors(deps), METHODS.services)
    relay = RelayHandler(METHODS, shards, services, FanOut(shards, directory, policy))
    server.grpc.add_generic_rpc_handlers((_own_handlers(directory, policy), relay))
    refreshes = [InventoryRefresh(region, shard, directory) for region, shard in shards.items()]
    return App(settings, server, policy, refreshes, [*shards.values(), *services.values()], registry, tracing)


def _own_handlers(directory: FleetDirectory, policy: ReloadingPolicy) -> grpc.GenericRpcHandler:
    fleet = fleet_pb2.DESCRIPTOR.services_by_name["FleetService"].full_name
    servicer = FleetServicer(RegionListing(directory, policy))
    return grpc.method_handlers_generic_handler(fleet, servicer.handlers())
