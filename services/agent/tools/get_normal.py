"""The tool `get_normal`."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from services.agent.reach import Reach
from services.agent.timestamps import asked_range
from storex.history.v1.history_pb2 import GetNormalRequest, GetNormalResponse


async def get_normal(
    reach: Reach, name: str, metric: str = "", at: str = "", window_seconds: int = 60
) -> GetNormalResponse:
    """What is normal for an instance's metrics, by the same hour of other days, and which of them are unusual.

    Use it to tell a symptom from an ordinary day. The least normal metric comes first. Cheap: it reads samples.

    name: The instance, as regions/REGION/instances/INSTANCE.
    metric: One metric; empty for all.
    at: The moment that is compared, as 2026-11-22T02:30:00Z; empty for now.
    window_seconds: How long before that moment is compared, in seconds; at most six hours.
    """
    _, moment = asked_range(1, at)
    window = Duration(seconds=window_seconds)
    request = GetNormalRequest(name=name, metrics=[metric] if metric else [], at=moment, window=window)
    return await reach.call(reach.history.GetNormal, request)
