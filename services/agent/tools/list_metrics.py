"""The tool `list_metrics`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.history.v1.history_pb2 import ListMetricsRequest, ListMetricsResponse


async def list_metrics(reach: Reach, name: str) -> ListMetricsResponse:
    """The metrics that are recorded of an instance, with their units, and from when to when anything is kept.

    Use it before asking for a metric that you do not know by name, or for a time long ago. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.history.ListMetrics, ListMetricsRequest(name=name))
