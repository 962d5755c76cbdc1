"""The tool `get_failed_logins`."""

from __future__ import annotations

from services.agent.reach import Reach
from storex.diagnostics.v1.access_pb2 import GetFailedLoginsRequest, GetFailedLoginsResponse


async def get_failed_logins(reach: Reach, name: str) -> GetFailedLoginsResponse:
    """Logins that the server refused lately, by account and host where the engine keeps that.

    Use it when clients cannot log in. Cheap.

    name: The instance, as regions/REGION/instances/INSTANCE.
    """
    return await reach.call(reach.diagnostics.GetFailedLogins, GetFailedLoginsRequest(name=name))
