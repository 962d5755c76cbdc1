"""The tool `get_health`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest, GetHealthResponse


async def get_health(reach: Reach, name: str) -> GetHealthResponse:
    """What the detectors conclude about one instance: ranked findings with entities and evidence, and what was checked.

    Use it first. No findings means healthy as far as the checks go. A few cheap statements.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetHealth, GetHealthRequest(name=name))
