"""The Python client: a channel to the coordinator, the caller's token on every call, and errors that say what to do.

    with StorexClient("127.0.0.1:7400", lambda: token) as client:
        answer = client.call(client.diagnostics.GetLockWaits, GetLockWaitsRequest(name="regions/eu/instances/orders-1"))

`AsyncStorexClient` is the same for asyncio. The stubs are the generated ones, so a new RPC needs nothing here.
"""

from libs.client.aio import AsyncStorexClient
from libs.client.failures import CallError
from libs.client.sync import StorexClient
from libs.client.targets import Listing, TargetError, UnlistedError, resolve_instance, resolve_target

__all__ = [
    "AsyncStorexClient",
    "CallError",
    "Listing",
    "StorexClient",
    "TargetError",
    "UnlistedError",
    "resolve_instance",
    "resolve_target",
]
