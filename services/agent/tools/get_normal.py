"""The tool `get_normal`."""

from __future__ import annotations

from services.agent.reach import Reach
from services.agent.timestamps import asked_range
from storex.history.v1.history_pb2 import GetNormalRequest, GetNormalResponse


async def get_normal(reach: Reach, name: str, metric: str = "", at: str = "") -> GetNormalResponse:
    """What is normal for an instance's metrics, by the same hour of other days, and which of them are unusual.

    Use it to tell a symptom from an ordinary day. The least normal metric comes first. Cheap: it reads samples.

    name: The instance, as regions/REGION/instances/INSTANCE.
    metric: One metric; empty for all.
    at: The moment that is compared, as 2026-11-22T02:30:00Z; empty for now.
    """
    _, moment = asked_range(1, at)
    request = GetNormalRequest(name=name, metrics=[metric] if metric else [], at=moment)
    return await reach.call(reach.history.GetNormal, request)
