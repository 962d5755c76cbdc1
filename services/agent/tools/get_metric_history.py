"""The tool `get_metric_history`."""

from __future__ import annotations

from services.agent.reach import Reach
from services.agent.timestamps import asked_range
from storex.history.v1.history_pb2 import GetMetricHistoryRequest, GetMetricHistoryResponse


async def get_metric_history(
    reach: Reach, name: str, metric: str, minutes: int = 60, until: str = "", statement_digest: str = ""
) -> GetMetricHistoryResponse:
    """One metric of an instance over time, with mean, low and high of each step, and the gaps in the record.

    Use it to see since when something is as it is. An unknown metric is answered with near names. Cheap: it reads what
    was sampled.

    name: The instance, as regions/REGION/instances/INSTANCE.
    metric: The metric, for example threads_running, queries_per_second, row_lock_waits_per_second or statement_load.
    minutes: How far back from its end the range reaches, in minutes.
    until: The end of the range, as 2026-11-22T02:30:00Z; empty for now.
    statement_digest: The digest, for a metric whose name starts with statement_; else empty.
    """
    start, end = asked_range(minutes, until)
    request = GetMetricHistoryRequest(name=name, metric=metric, start=start, end=end, statement_digest=statement_digest)
    return await reach.call(reach.history.GetMetricHistory, request)
