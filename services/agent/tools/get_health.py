"""The tool `get_health`."""

from __future__ import annotations

from services.agent.reach import Reach
from services.agent.timestamps import asked_past
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest, GetHealthResponse


async def get_health(reach: Reach, name: str, until: str = "", minutes: int = 10) -> GetHealthResponse:
    """What the detectors conclude about one instance: ranked findings with entities and evidence, and what was checked.

    Use it first. No findings means healthy as far as the checks go. A few cheap statements. With `until` it judges a
    time that is over by what was recorded of it: statements and counters, not locks.

    name: The instance, as regions/REGION/instances/INSTANCE.
    until: The end of a time in the past, as 2026-11-22T02:30:00Z; empty for now.
    minutes: How far back from `until` it looks; of no meaning without it.
    """
    request = GetHealthRequest(name=name, fresh=True, without=reach.without_rules, **asked_past(minutes, until))
    return await reach.call(reach.diagnostics.GetHealth, request)
