"""When a service may be called: it accepts connections, and its health service says SERVING.

gRPC is imported inside the functions: while a mesh starts, its services need the processor more than the supervisor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

TokenSource = Callable[[], str]

_POLL_SECONDS = 0.05
_CHECK_SECONDS = 2.0


async def wait_serving(address: str) -> None:
    """Return once the server at `host:port` says that it serves; waits for ever, so cancel it."""
    await _wait_accepting(address)
    import grpc
    from grpc_health.v1 import health_pb2

    async with grpc.aio.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        while True:
            with suppress(grpc.aio.AioRpcError):
                answer = await check(health_pb2.HealthCheckRequest(), timeout=_CHECK_SECONDS)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(_POLL_SECONDS)


async def wait_regions(coordinator: str, token: TokenSource) -> None:
    """Return once the coordinator has heard from every region's shard; waits for ever, so cancel it."""
    from libs.client import AsyncStorexClient, CallError
    from storex.fleet.v1.fleet_pb2 import HEALTH_DOWN, ListRegionsRequest

    async with AsyncStorexClient(coordinator, token) as client:
        while True:
            with suppress(CallError):
                answer = await client.call(client.fleet.ListRegions, ListRegionsRequest(page_size=500))
                if all(region.health != HEALTH_DOWN for region in answer.regions):
                    return
            await asyncio.sleep(_POLL_SECONDS)


async def _wait_accepting(address: str) -> None:
    # A gRPC channel that was refused once waits a second before it tries again; a plain connection does not.
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            return
