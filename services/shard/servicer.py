"""The shard's RPCs: decode, one call into the domain, encode. Who may call what was decided before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Protocol, TypeVar

from libs.core.errors import Reason, StorexError
from libs.core.paging import page_of
from libs.rpc.interceptors.base import Context, this_call
from services.shard.collectors.auto_increments import list_auto_increments
from services.shard.collectors.buffer_pool import get_buffer_pool
from services.shard.collectors.commit_state import get_commit_state
from services.shard.collectors.connections import get_connections
from services.shard.collectors.failed_logins import get_failed_logins
from services.shard.collectors.failing_statements import list_failing_statements
from services.shard.collectors.index_facts import list_index_facts
from services.shard.collectors.innodb_status import get_innodb_status
from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.maintenance import list_maintenance
from services.shard.collectors.overview import get_overview
from services.shard.collectors.plan import explain_statement
from services.shard.collectors.processes import list_processes
from services.shard.collectors.purge_state import get_purge_state
from services.shard.collectors.read_only_state import get_read_only_state
from services.shard.collectors.redo_state import get_redo_state
from services.shard.collectors.replication import get_replication
from services.shard.collectors.running_statements import list_running_statements
from services.shard.collectors.table_limits import list_table_limits
from services.shard.collectors.temp_tables import get_temp_tables
from services.shard.collectors.top_queries import list_top_queries
from services.shard.collectors.traffic import get_traffic
from services.shard.collectors.transactions import list_transactions
from services.shard.collectors.variable_changes import list_variable_changes
from services.shard.collectors.variables import list_variables
from services.shard.collectors.visibility import get_visibility
from services.shard.detectors.registry import detectors_without
from services.shard.fleet import describe
from services.shard.instances import Instance, Instances, Served
from services.shard.verdict.health import assess, badness
from services.shard.verdict.past_health import assess_past, past_or_limit
from services.shard.view import InstanceView
from services.shard.watch.merging import merged
from storex.diagnostics.v1 import (
    access_pb2,
    activity_pb2,
    capacity_pb2,
    diagnostics_pb2,
    diagnostics_pb2_grpc,
    failures_pb2,
    indexes_pb2,
    innodb_pb2,
    maintenance_pb2,
    plans_pb2,
    replication_pb2,
    settings_pb2,
    traffic_pb2,
    visibility_pb2,
)
from storex.fleet.v1 import fleet_pb2, fleet_pb2_grpc


class _OfInstance(Protocol):
    @property
    def name(self) -> str: ...


Q = TypeVar("Q", bound=_OfInstance)
A = TypeVar("A")

_FINE = (0, 0.0, 0, 0.0)
ASSESSED_AT_ONCE = 8
"""Instances of one stream that are looked at together."""


class DiagnosticsServicer(diagnostics_pb2_grpc.DiagnosticsServiceServicer):
    """One instance's diagnostics, each by its collector, and health."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    async def GetOverview(
        self, request: diagnostics_pb2.GetOverviewRequest, _context: Context
    ) -> diagnostics_pb2.GetOverviewResponse:
        """See the contract."""
        return await self._collect(get_overview, request)

    async def ListProcesses(
        self, request: diagnostics_pb2.ListProcessesRequest, _context: Context
    ) -> diagnostics_pb2.ListProcessesResponse:
        """See the contract."""
        return await self._collect(list_processes, request)

    async def GetLockWaits(
        self, request: diagnostics_pb2.GetLockWaitsRequest, _context: Context
    ) -> diagnostics_pb2.GetLockWaitsResponse:
        """See the contract."""
        return await self._collect(get_lock_waits, request)

    async def ListTransactions(
        self, request: diagnostics_pb2.ListTransactionsRequest, _context: Context
    ) -> diagnostics_pb2.ListTransactionsResponse:
        """See the contract."""
        return await self._collect(list_transactions, request)

    async def GetInnodbStatus(
        self, request: diagnostics_pb2.GetInnodbStatusRequest, _context: Context
    ) -> diagnostics_pb2.GetInnodbStatusResponse:
        """See the contract."""
        return await self._collect(get_innodb_status, request)

    async def ListTopQueries(
        self, request: diagnostics_pb2.ListTopQueriesRequest, _context: Context
    ) -> diagnostics_pb2.ListTopQueriesResponse:
        """See the contract."""
        return await self._collect(list_top_queries, request)

    async def GetConnections(
        self, request: diagnostics_pb2.GetConnectionsRequest, _context: Context
    ) -> diagnostics_pb2.GetConnectionsResponse:
        """See the contract."""
        return await self._collect(get_connections, request)

    async def ListVariables(
        self, request: diagnostics_pb2.ListVariablesRequest, _context: Context
    ) -> diagnostics_pb2.ListVariablesResponse:
        """See the contract."""
        return await self._collect(list_variables, request)

    async def GetReadOnlyState(
        self, request: settings_pb2.GetReadOnlyStateRequest, _context: Context
    ) -> settings_pb2.GetReadOnlyStateResponse:
        """See the contract."""
        return await self._collect(get_read_only_state, request)

    async def ListVariableChanges(
        self, request: settings_pb2.ListVariableChangesRequest, _context: Context
    ) -> settings_pb2.ListVariableChangesResponse:
        """See the contract."""
        return await self._collect(list_variable_changes, request)

    async def GetPurgeState(
        self, request: innodb_pb2.GetPurgeStateRequest, _context: Context
    ) -> innodb_pb2.GetPurgeStateResponse:
        """See the contract."""
        return await self._collect(get_purge_state, request)

    async def GetCommitState(
        self, request: innodb_pb2.GetCommitStateRequest, _context: Context
    ) -> innodb_pb2.GetCommitStateResponse:
        """See the contract."""
        return await self._collect(get_commit_state, request)

    async def GetBufferPool(
        self, request: innodb_pb2.GetBufferPoolRequest, _context: Context
    ) -> innodb_pb2.GetBufferPoolResponse:
        """See the contract."""
        return await self._collect(get_buffer_pool, request)

    async def GetRedoState(
        self, request: innodb_pb2.GetRedoStateRequest, _context: Context
    ) -> innodb_pb2.GetRedoStateResponse:
        """See the contract."""
        return await self._collect(get_redo_state, request)

    async def ListAutoIncrements(
        self, request: capacity_pb2.ListAutoIncrementsRequest, _context: Context
    ) -> capacity_pb2.ListAutoIncrementsResponse:
        """See the contract."""
        return await self._collect(list_auto_increments, request)

    async def ListTableLimits(
        self, request: capacity_pb2.ListTableLimitsRequest, _context: Context
    ) -> capacity_pb2.ListTableLimitsResponse:
        """See the contract."""
        return await self._collect(list_table_limits, request)

    async def GetFailedLogins(
        self, request: access_pb2.GetFailedLoginsRequest, _context: Context
    ) -> access_pb2.GetFailedLoginsResponse:
        """See the contract."""
        return await self._collect(get_failed_logins, request)

    async def GetReplication(
        self, request: replication_pb2.GetReplicationRequest, _context: Context
    ) -> replication_pb2.GetReplicationResponse:
        """See the contract."""
        return await self._collect(get_replication, request)

    async def GetVisibility(
        self, request: visibility_pb2.GetVisibilityRequest, _context: Context
    ) -> visibility_pb2.GetVisibilityResponse:
        """See the contract."""
        return await self._collect(get_visibility, request)

    async def GetTraffic(
        self, request: traffic_pb2.GetTrafficRequest, _context: Context
    ) -> traffic_pb2.GetTrafficResponse:
        """See the contract."""
        return await self._collect(get_traffic, request)

    async def ListFailingStatements(
        self, request: failures_pb2.ListFailingStatementsRequest, _context: Context
    ) -> failures_pb2.ListFailingStatementsResponse:
        """See the contract."""
        return await self._collect(list_failing_statements, request)

    async def ListMaintenance(
        self, request: maintenance_pb2.ListMaintenanceRequest, _context: Context
    ) -> maintenance_pb2.ListMaintenanceResponse:
        """See the contract."""
        return await self._collect(list_maintenance, request)

    async def ListRunningStatements(
        self, request: activity_pb2.ListRunningStatementsRequest, _context: Context
    ) -> activity_pb2.ListRunningStatementsResponse:
        """See the contract."""
        return await self._collect(list_running_statements, request)

    async def GetTempTables(
        self, request: activity_pb2.GetTempTablesRequest, _context: Context
    ) -> activity_pb2.GetTempTablesResponse:
        """See the contract."""
        return await self._collect(get_temp_tables, request)

    async def ExplainStatement(
        self, request: plans_pb2.ExplainStatementRequest, _context: Context
    ) -> plans_pb2.ExplainStatementResponse:
        """See the contract."""
        return await self._collect(explain_statement, request)

    async def ListIndexFacts(
        self, request: indexes_pb2.ListIndexFactsRequest, _context: Context
    ) -> indexes_pb2.ListIndexFactsResponse:
        """See the contract."""
        return await self._collect(list_index_facts, request)

    async def GetHealth(
        self, request: diagnostics_pb2.GetHealthRequest, _context: Context
    ) -> diagnostics_pb2.GetHealthResponse:
        """See the contract."""
        instance = self._instances.served(request.name)
        if request.HasField("at"):
            past = await assess_past(instance.view, instance.labels, request)
            return diagnostics_pb2.GetHealthResponse(health=past)
        return diagnostics_pb2.GetHealthResponse(health=await _health(instance, request))

    async def StreamHealth(
        self, request: diagnostics_pb2.StreamHealthRequest, _context: Context
    ) -> AsyncIterator[diagnostics_pb2.StreamHealthResponse]:
        """See the contract."""
        covered = sorted(_labelled(self._instances, request.labels), key=_known_badness, reverse=True)
        places = asyncio.Semaphore(ASSESSED_AT_ONCE)

        async def one(instance: Served) -> diagnostics_pb2.InstanceHealth:
            async with places:
                if request.HasField("at"):
                    return await past_or_limit(instance.view, instance.labels, request)
                return await _health(instance, request)

        tasks = [asyncio.ensure_future(one(instance)) for instance in covered]
        try:
            for done in asyncio.as_completed(tasks):
                yield diagnostics_pb2.StreamHealthResponse(health=await done)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def WatchHealth(
        self, request: diagnostics_pb2.WatchHealthRequest, _context: Context
    ) -> AsyncIterator[diagnostics_pb2.WatchHealthResponse]:
        """See the contract."""
        covered = _labelled(self._instances, request.labels)
        async with aclosing(merged([_changes(instance) for instance in covered])) as told:
            async for health in told:
                yield diagnostics_pb2.WatchHealthResponse(health=health)

    async def _collect(self, collector: Callable[[InstanceView, Q], Awaitable[A]], request: Q) -> A:
        return await collector(self._instances.served(request.name).view, request)


class FleetServicer(fleet_pb2_grpc.FleetServiceServicer):
    """The part of FleetService that a region answers for itself."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    async def ListRegions(
        self, _request: fleet_pb2.ListRegionsRequest, _context: Context
    ) -> fleet_pb2.ListRegionsResponse:
        """The coordinator's own."""
        raise StorexError(Reason.UNIMPLEMENTED)

    async def GetInstance(
        self, request: fleet_pb2.GetInstanceRequest, _context: Context
    ) -> fleet_pb2.GetInstanceResponse:
        """See the contract."""
        instance = self._instances.served(request.name)
        return fleet_pb2.GetInstanceResponse(instance=describe(self._instances.region, instance))

    async def ListInstances(
        self, request: fleet_pb2.ListInstancesRequest, _context: Context
    ) -> fleet_pb2.ListInstancesResponse:
        """See the contract."""
        page, token = page_of(
            _covered(self._instances), request.page_size, request.page_token, default=100, largest=1000
        )
        described = [describe(self._instances.region, instance) for instance in page]
        return fleet_pb2.ListInstancesResponse(instances=described, next_page_token=token)

    async def StreamInstances(
        self, _request: fleet_pb2.StreamInstancesRequest, _context: Context
    ) -> AsyncIterator[fleet_pb2.StreamInstancesResponse]:
        """See the contract."""
        for instance in _covered(self._instances):
            yield fleet_pb2.StreamInstancesResponse(instance=describe(self._instances.region, instance))


async def _health(
    served: Served, request: diagnostics_pb2.GetHealthRequest | diagnostics_pb2.StreamHealthRequest
) -> diagnostics_pb2.InstanceHealth:
    """The health as it is watched, or of a recorded instance as it was, there also without some of the detectors."""
    if not isinstance(served, Instance):
        return await assess(served.view, served.labels, detectors_without(request.without))
    if request.without:
        raise StorexError(Reason.REQUEST_INVALID, field="without", problem="only a snapshot can be judged with less")
    return await (served.health.fresh() if request.fresh else served.health.current())


async def _changes(served: Served) -> AsyncGenerator[diagnostics_pb2.InstanceHealth, None]:
    """The health now and whenever it changes; a recorded instance's does not."""
    if isinstance(served, Instance):
        async with aclosing(served.health.changes()) as changes:
            async for health in changes:
                yield health
    else:
        yield await assess(served.view, served.labels)


def _labelled(instances: Instances, labels: Mapping[str, str]) -> list[Served]:
    """Those that the call covers, with these labels."""
    wanted = labels.items()
    return [found for found in _covered(instances) if wanted <= dict(found.labels).items()]


def _known_badness(served: Served) -> tuple[int, float, int, float]:
    """How bad its worst finding was when it was last looked at."""
    known = served.health.latest if isinstance(served, Instance) else None
    return max((badness(finding) for finding in known.findings), default=_FINE) if known is not None else _FINE


def _covered(instances: Instances) -> list[Served]:
    """The instances that the call's name covers and policy lets its caller see."""
    return instances.covered(this_call().resources)
