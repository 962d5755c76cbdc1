"""The one way to a gRPC channel: load balancing, keepalive, limits, and metadata that is made anew for each call."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from libs.rpc.call import Metadata
from libs.rpc.server import MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, MIN_PING_SECONDS

MetadataSource = Callable[[], Metadata]
"""Asked before each call, so that a rotated token and the current request id are sent."""

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


def open_channel(address: str, metadata: MetadataSource | None = None) -> grpc.aio.Channel:
    """A channel to `HOST:PORT` (or any gRPC target), which connects when it is first used.

    With `metadata`, every unary and server-streaming call carries what it returns, beside the call's own metadata.
    """
    interceptors: Sequence[grpc.aio.ClientInterceptor] = ()
    if metadata is not None:
        interceptors = (_UnaryMetadata(metadata), _StreamMetadata(metadata))
    return grpc.aio.insecure_channel(
        address,
        interceptors=interceptors,
        options=[
            ("grpc.service_config", _SERVICE_CONFIG),
            ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
            ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
            ("grpc.keepalive_time_ms", 2 * MIN_PING_SECONDS * 1000),
            ("grpc.keepalive_timeout_ms", 5_000),
            # A peer that was restarted must be found again in seconds, not after the default back-off of two minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 500),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            # Otherwise a reader that stalls makes us buffer megabytes of its stream.
            ("grpc.http2.bdp_probe", 0),
            ("grpc.http2.lookahead_bytes", 256 * 1024),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_http_proxy", 0),  # the mesh is never on the far side of a web proxy
        ],
    )


def _extended(details: grpc.aio.ClientCallDetails, source: MetadataSource) -> grpc.aio.ClientCallDetails:
    return grpc.aio.ClientCallDetails(
        method=details.method,
        timeout=details.timeout,
        metadata=grpc.aio.Metadata(*(details.metadata or ()), *source()),
        credentials=details.credentials,
        wait_for_ready=details.wait_for_ready,
    )


class _UnaryMetadata(grpc.aio.UnaryUnaryClientInterceptor):
    def __init__(self, source: MetadataSource) -> None:
        self._source = source

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_extended(client_call_details, self._source), request)


class _StreamMetadata(grpc.aio.UnaryStreamClientInterceptor):
    def __init__(self, source: MetadataSource) -> None:
        self._source = source

    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await continuation(_extended(client_call_details, self._source), request)
