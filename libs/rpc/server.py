"""The one way to a gRPC server: interceptors, limits, health, reflection, and an end that lets calls finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""What the transport takes in. The guard's limit is lower, so that most large requests get a proper answer."""
MAX_RESPONSE_BYTES = 64 * 1024 * 1024
MIN_PING_SECONDS = 10
"""How often a client may ping; channels ping half as often."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen (`HOST:PORT`, port 0 for any) and how many calls to take at a time."""

    listen: str
    max_concurrent_calls: int = 2000


class RpcServer:
    """A grpc.aio server. Add servicers to `grpc`, then `start`; it says it is healthy once `set_serving(True)`."""

    def __init__(
        self,
        settings: ServerSettings,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        services: Sequence[str],
    ) -> None:
        self.grpc = grpc.aio.server(
            interceptors=list(interceptors),
            maximum_concurrent_rpcs=settings.max_concurrent_calls,
            options=[
                ("grpc.so_reuseport", 0),  # a second server on the port is a mistake, not a share of the load
                ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
                ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
                ("grpc.max_metadata_size", 64 * 1024),
                ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_SECONDS * 1000),
                ("grpc.keepalive_permit_without_calls", 1),
            ],
        )
        self._listen = settings.listen
        self._services = ("", *services)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        names = (*services, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.grpc)
        self.port = 0
        """The port that it listens on, once started."""

    async def start(self) -> None:
        """Bind and serve; not healthy yet. Raises OSError when the address cannot be had."""
        await self.set_serving(False)
        try:
            self.port = self.grpc.add_insecure_port(self._listen)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {self._listen}: is another process using the port?") from error
        await self.grpc.start()

    async def set_serving(self, serving: bool) -> None:
        """What the health service answers from now on, for the server as a whole and for each service."""
        for service in self._services:
            await self._health.set(service, SERVING if serving else NOT_SERVING)

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Say that it is going, refuse new calls, let those under way finish for so long, then cancel them."""
        await self._health.enter_graceful_shutdown()
        await self.grpc.stop(grace_seconds)
