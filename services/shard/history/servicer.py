"""The RPCs of HistoryService: decode, one question, encode."""

from __future__ import annotations

from libs.rpc.interceptors.base import Context
from services.shard.history.changes import list_changes
from services.shard.history.deploys import post_deploy_event
from services.shard.history.metric_history import get_metric_history
from services.shard.history.metrics import list_metrics
from services.shard.history.normals import get_normal
from services.shard.instances import Instances
from storex.history.v1 import history_pb2, history_pb2_grpc


class HistoryServicer(history_pb2_grpc.HistoryServiceServicer):
    """One instance's past, each question in a file of its own."""

    def __init__(self, instances: Instances) -> None:
        self._instances = instances

    async def ListMetrics(
        self, request: history_pb2.ListMetricsRequest, _context: Context
    ) -> history_pb2.ListMetricsResponse:
        """See the contract."""
        return await list_metrics(self._instances.served(request.name).view, request)

    async def GetMetricHistory(
        self, request: history_pb2.GetMetricHistoryRequest, _context: Context
    ) -> history_pb2.GetMetricHistoryResponse:
        """See the contract."""
        return await get_metric_history(self._instances.served(request.name).view, request)

    async def GetNormal(
        self, request: history_pb2.GetNormalRequest, _context: Context
    ) -> history_pb2.GetNormalResponse:
        """See the contract."""
        return await get_normal(self._instances.served(request.name).view, request)

    async def ListChanges(
        self, request: history_pb2.ListChangesRequest, _context: Context
    ) -> history_pb2.ListChangesResponse:
        """See the contract."""
        return await list_changes(self._instances.served(request.name).view, request)

    async def PostDeployEvent(
        self, request: history_pb2.PostDeployEventRequest, _context: Context
    ) -> history_pb2.PostDeployEventResponse:
        """See the contract."""
        return await post_deploy_event(self._instances.served(request.name).view, request)
