"""The tool `get_visibility`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.visibility_pb2 import GetVisibilityRequest, GetVisibilityResponse


async def get_visibility(reach: Reach, name: str) -> GetVisibilityResponse:
    """What the instance does not show: blind spots, what each costs, how to mend it, and the state of the account.

    Use it when an answer lacks something, or before a server is called healthy. Moderate.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetVisibility, GetVisibilityRequest(name=name))
