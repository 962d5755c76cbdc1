"""A small region whose servicers answer from a script, behind the real chain of interceptors on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from prometheus_client import CollectorRegistry

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName
from libs.core.resources import Resource
from libs.identity import AUDIENCE, ISSUER, LocalIssuer, TokenVerifier
from libs.identity.principal import COORDINATOR
from libs.policy import load_policy
from libs.rpc.call import CallContext, current_call
from libs.rpc.interceptors import CallLimits, InterceptorDeps, Policy, server_interceptors
from libs.rpc.server import RpcServer, ServerSettings
from libs.telemetry.spans import Tracing
from storex.diagnostics.v1 import diagnostics_pb2 as diagnostics
from storex.diagnostics.v1 import diagnostics_pb2_grpc, session_pb2
from storex.fleet.v1 import fleet_pb2 as fleet
from storex.fleet.v1 import fleet_pb2_grpc

Script = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """The script of a call that just answers."""


class StaticDirectory:
    """A directory of given resources."""

    def __init__(self, resources: Sequence[Resource], regions: Sequence[str] = ()) -> None:
        self._resources = {item.name: item for item in resources}
        self._regions = {*regions, *(item.region for item in resources)}

    def instance(self, name: ResourceName) -> Resource | None:
        return self._resources.get(name)

    def within(self, name: ResourceName) -> Sequence[Resource]:
        return [item for own, item in self._resources.items() if name.covers(own)]

    def knows_region(self, region: str) -> bool:
        return region in self._regions


def instance(region: str, name: str, team: str) -> Resource:
    return Resource(region=region, domain="gdpr", cloud="aws", environment="prod", team=team, instance=name)


@dataclass
class Scripted(diagnostics_pb2_grpc.DiagnosticsServiceServicer, fleet_pb2_grpc.FleetServiceServicer):
    """Answers with what it was let through to; `script` runs first, and may wait or raise."""

    script: Script = nothing
    calls: list[CallContext] = field(default_factory=list)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    quiet: asyncio.Event = field(default_factory=asyncio.Event)

    async def _enter(self) -> CallContext:
        call = current_call()
        assert call is not None
        assert call.caller is not None
        if call.caller.user.kind == "user":
            # The coordinator's own reading of the inventory goes on beside whatever a test scripts.
            self.calls.append(call)
            await self.script()
        return call

    async def GetOverview(self, request: diagnostics.GetOverviewRequest, context: Any) -> Any:
        await self._enter()
        return diagnostics.GetOverviewResponse(engine="MariaDB", version=request.name)

    async def StreamHealth(self, request: diagnostics.StreamHealthRequest, context: Any) -> AsyncIterator[Any]:
        try:
            for resource in (await self._enter()).resources:
                yield diagnostics.StreamHealthResponse(
                    health=diagnostics.InstanceHealth(observation=session_pb2.Observation(name=str(resource.name)))
                )
                await self.script()
        finally:
            self.ended.set()

    async def WatchHealth(self, request: diagnostics.WatchHealthRequest, context: Any) -> AsyncIterator[Any]:
        """Says how each instance is, then nothing for as long as the script does not end."""
        try:
            for resource in (await self._enter()).resources:
                yield diagnostics.WatchHealthResponse(
                    health=diagnostics.InstanceHealth(observation=session_pb2.Observation(name=str(resource.name)))
                )
            await self.quiet.wait()
        finally:
            self.ended.set()

    async def GetInstance(self, request: fleet.GetInstanceRequest, context: Any) -> Any:
        await self._enter()
        return fleet.GetInstanceResponse(instance=fleet.Instance(name=request.name))

    async def ListInstances(self, request: fleet.ListInstancesRequest, context: Any) -> Any:
        call = await self._enter()
        return fleet.ListInstancesResponse(instances=[fleet.Instance(name=str(r.name)) for r in call.resources])

    async def _unscripted(self, request: Any, context: Any) -> Any:
        raise StorexError(Reason.UNIMPLEMENTED)

    ListRegions: Any = _unscripted
    GetTraffic: Any = _unscripted
    ListFailingStatements: Any = _unscripted
    ListMaintenance: Any = _unscripted
    GetRedoState: Any = _unscripted
    ListRunningStatements: Any = _unscripted
    GetTempTables: Any = _unscripted
    ListProcesses: Any = _unscripted
    GetLockWaits: Any = _unscripted
    ListTransactions: Any = _unscripted
    GetInnodbStatus: Any = _unscripted
    ListTopQueries: Any = _unscripted
    GetConnections: Any = _unscripted
    ListVariables: Any = _unscripted
    GetReadOnlyState: Any = _unscripted
    GetReplication: Any = _unscripted
    GetFailedLogins: Any = _unscripted
    ListTableLimits: Any = _unscripted
    ListAutoIncrements: Any = _unscripted
    GetBufferPool: Any = _unscripted
    GetCommitState: Any = _unscripted
    GetPurgeState: Any = _unscripted
    ListVariableChanges: Any = _unscripted
    GetVisibility: Any = _unscripted
    ExplainStatement: Any = _unscripted
    ListIndexFacts: Any = _unscripted
    GetHealth: Any = _unscripted

    async def StreamInstances(self, request: fleet.StreamInstancesRequest, context: Any) -> AsyncIterator[Any]:
        for resource in (await self._enter()).resources:
            yield fleet.StreamInstancesResponse(
                instance=fleet.Instance(
                    name=str(resource.name), team=resource.team, health=fleet.HEALTH_UP, engine="MariaDB"
                )
            )


class ScriptedShard:
    """The servicers above on a port, as a region's shard: only the coordinator may pass calls on to it."""

    def __init__(
        self,
        issuer: LocalIssuer,
        resources: Sequence[Resource],
        *,
        policy: Policy | None = None,
        relay: str | None = COORDINATOR,
        limits: CallLimits | None = None,
        listen: str = "127.0.0.1:0",
    ) -> None:
        self.servicer = Scripted()
        self.registry = CollectorRegistry()
        deps = InterceptorDeps(
            verifier=TokenVerifier(issuer.jwks_path, ISSUER, AUDIENCE),
            policy=policy or load_policy(None),
            directory=StaticDirectory(resources),
            relay=relay,
            tracing=Tracing("shard"),
            registry=self.registry,
            limits=limits or CallLimits(),
        )
        services = ("storex.fleet.v1.FleetService", "storex.diagnostics.v1.DiagnosticsService")
        self.server = RpcServer(ServerSettings(listen), server_interceptors(deps), services)
        diagnostics_pb2_grpc.add_DiagnosticsServiceServicer_to_server(self.servicer, self.server.grpc)
        fleet_pb2_grpc.add_FleetServiceServicer_to_server(self.servicer, self.server.grpc)

    async def __aenter__(self) -> ScriptedShard:
        await self.server.start()
        await self.server.set_serving(True)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.stop(0)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"


def relayed(issuer: LocalIssuer, user: str, *, actor: str = "") -> tuple[tuple[str, str], ...]:
    """The metadata that the coordinator passes a call on with."""
    metadata = [("authorization", f"Bearer {user}"), ("x-storex-relay", issuer.issue_service("coordinator"))]
    if actor:
        metadata.append(("x-storex-actor", actor))
    return tuple(metadata)


def open_issuer(folder: Path) -> LocalIssuer:
    return LocalIssuer.open(folder)


async def failure(call: Any) -> grpc.aio.AioRpcError:
    """The error that a call ends with."""
    try:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the call did not fail")
