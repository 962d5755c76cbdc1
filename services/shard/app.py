"""Builds a shard: the only place where its parts are made and wired."""

from __future__ import annotations

from contextlib import AsyncExitStack

import grpc
from prometheus_client import CollectorRegistry

from libs.core.clock import Clock, SystemClock
from libs.core.watched import WatchedFile
from libs.identity import AUDIENCE, ISSUER, TokenVerifier
from libs.identity.principal import COORDINATOR
from libs.policy import ReloadingPolicy
from libs.rpc.interceptors import InterceptorDeps, server_interceptors
from libs.rpc.lifecycle import Lifecycle, run_in_background
from libs.rpc.server import RpcServer, ServerSettings
from libs.sensitivity.tokens import Tokeniser, open_keys
from libs.telemetry.in_force import show_in_force
from libs.telemetry.metrics import serve_metrics
from libs.telemetry.spans import Tracing
from services.shard.config import ShardSettings
from services.shard.egress.interceptor import EgressInterceptor
from services.shard.egress.rules import BuiltInRules, EgressRules, watch_rules
from services.shard.egress.step import EgressStep
from services.shard.history.servicer import HistoryServicer
from services.shard.instances import Instances
from services.shard.inventory import InventoryWatch
from services.shard.servicer import DiagnosticsServicer, FleetServicer
from services.shard.stores.archive import Archive
from services.shard.stores.mysql import connect_to, open_mysql
from services.shard.stores.sqlite import open_sqlite
from services.shard.worlds.by_itself import ByItself
from services.shard.worlds.interceptor import ReplayInterceptor
from services.shard.worlds.keys import FileKeys
from services.shard.worlds.on_finding import OnFinding
from services.shard.worlds.servicer import SnapshotServicer
from services.shard.worlds.store import WorldStore
from services.shard.worlds.worlds import Settings, Worlds
from storex.diagnostics.v1 import diagnostics_pb2, diagnostics_pb2_grpc
from storex.fleet.v1 import fleet_pb2, fleet_pb2_grpc
from storex.history.v1 import history_pb2, history_pb2_grpc
from storex.snapshot.v1 import snapshot_pb2, snapshot_pb2_grpc

DRAIN_SECONDS = 3.0

Rules = WatchedFile[EgressRules] | BuiltInRules


class App(Lifecycle):
    """A running shard: enter it to start, leave it to drain and stop."""

    def __init__(
        self,
        settings: ShardSettings,
        server: RpcServer,
        policy: ReloadingPolicy,
        rules: Rules,
        instances: Instances,
        archive: Archive,
        worlds: Worlds,
        on_finding: OnFinding,
        registry: CollectorRegistry,
        tracing: Tracing,
    ) -> None:
        self.server = server
        self.worlds = worlds
        self.instances = instances
        self.archive = archive
        self._on_finding = on_finding
        self._settings = settings
        self._policy = policy
        self._rules = rules
        self._registry = registry
        self._tracing = tracing

    async def start(self, stack: AsyncExitStack) -> None:
        """Start the parts. Raises OSError for a taken port."""
        process, region = self._settings.process, self._settings.region
        stack.callback(self._tracing.shutdown)
        if process.metrics_port:
            stack.callback(serve_metrics(process.metrics_port, self._registry))
        stack.push_async_callback(self.archive.close)
        self.archive.start()
        stack.push_async_callback(self.instances.close)
        await self.instances.take_in(region)
        run_in_background(stack, self._policy.watch)
        if isinstance(self._rules, WatchedFile):
            run_in_background(stack, self._rules.watch)
        run_in_background(stack, InventoryWatch(process.config.path, region.name, self.instances).run)
        stack.push_async_callback(self.worlds.close)
        run_in_background(stack, self.worlds.run)
        run_in_background(stack, self._on_finding.run)
        await self.server.start()
        stack.push_async_callback(self.server.stop, DRAIN_SECONDS)
        await self.server.set_serving(True)


def _rules(settings: ShardSettings, policy: ReloadingPolicy) -> Rules:
    config = settings.process.config
    domains = {known.domain for known in config.regions.values()}
    return watch_rules(config.egress, domains=domains, roles=lambda: policy.snapshot.text.roles)


def _egress(settings: ShardSettings, policy: ReloadingPolicy, rules: Rules) -> EgressInterceptor:
    config, region = settings.process.config, settings.region.name
    keys = open_keys(config.state_dir / "shards" / region / "principal-tokens.keys")
    return EgressInterceptor(EgressStep(rules, Tokeniser(region, keys), policy))


def _archive(settings: ShardSettings, clock: Clock) -> Archive:
    store = settings.region.store
    if store is not None:
        return Archive(lambda: open_mysql(connect_to(store)), clock)
    path = settings.process.config.state_dir / "shards" / settings.region.name / "history.sqlite"
    return Archive(lambda: open_sqlite(path), clock)


def _worlds(settings: ShardSettings, instances: Instances, clock: Clock) -> Worlds:
    folder = settings.process.config.state_dir / "shards" / settings.region.name
    keys = FileKeys(folder / "snapshots.keys", clock)

    def in_force() -> Settings:
        region = instances.region
        return Settings(region.snapshots, region.lab)

    return Worlds(WorldStore(folder / "snapshots"), keys, in_force, clock)


def build(settings: ShardSettings) -> App:
    """Wire a shard. Raises PolicyError, ConfigError or TokenKeyError; call it on the event loop."""
    config = settings.process.config
    clock, tracing, registry = SystemClock(), Tracing("shard"), CollectorRegistry()
    archive = _archive(settings, clock)
    policy = ReloadingPolicy(config.policy, region=settings.region.name)
    rules = _rules(settings, policy)
    in_force = {"policy": policy.in_force, "egress": lambda: (rules.version, int(bool(rules.problem)))}
    show_in_force(registry, in_force)
    instances = Instances(clock, archive)
    worlds = _worlds(settings, instances, clock)
    deps = InterceptorDeps(
        verifier=TokenVerifier(config.state_dir / "issuer" / "jwks.json", ISSUER, AUDIENCE),
        policy=policy,
        directory=instances,
        relay=COORDINATOR,
        tracing=tracing,
        registry=registry,
    )
    # Innermost, next to the handlers: nothing that they return or raise gets past it.
    chain: list[grpc.aio.ServerInterceptor] = [
        *server_interceptors(deps),
        # Around the egress step: it decides what is looked at, and hands out nothing itself.
        ReplayInterceptor(worlds, registry),
        _egress(settings, policy, rules),
    ]
    services = [
        diagnostics_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"].full_name,
        fleet_pb2.DESCRIPTOR.services_by_name["FleetService"].full_name,
        history_pb2.DESCRIPTOR.services_by_name["HistoryService"].full_name,
        snapshot_pb2.DESCRIPTOR.services_by_name["SnapshotService"].full_name,
    ]
    server = RpcServer(ServerSettings(settings.process.listen), chain, services)
    diagnostics_pb2_grpc.add_DiagnosticsServiceServicer_to_server(DiagnosticsServicer(instances), server.grpc)
    fleet_pb2_grpc.add_FleetServiceServicer_to_server(FleetServicer(instances), server.grpc)
    history_pb2_grpc.add_HistoryServiceServicer_to_server(HistoryServicer(instances), server.grpc)
    by_itself = ByItself(worlds, instances, clock)
    snapshots = SnapshotServicer(worlds, instances, by_itself)
    snapshot_pb2_grpc.add_SnapshotServiceServicer_to_server(snapshots, server.grpc)
    on_finding = OnFinding(worlds, instances, by_itself)
    return App(settings, server, policy, rules, instances, archive, worlds, on_finding, registry, tracing)
