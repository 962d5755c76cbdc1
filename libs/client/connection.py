"""What both clients share: channel options, deadlines and the metadata of a call."""

from __future__ import annotations

from collections.abc import Callable

from libs.core.ids import new_id

UNARY_SECONDS = 10.0
"""Default deadline of a unary call; a collector's statements have less."""
LISTING_SECONDS = 6.0
"""Deadline of a listing: a region that is slower than this stands among its errors."""
STREAM_SECONDS = 60.0
"""Default deadline of a stream."""

# Answers come from a trusted mesh and may be long; a proxy in the environment has no business with them.
CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.enable_http_proxy", 0),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)

TokenSource = Callable[[], str]
"""Gives the caller's token as it is now."""


def call_metadata(token: TokenSource, snapshot: str = "") -> tuple[tuple[str, str], ...]:
    """The caller's token, an id under which the call is found in every log, and the snapshot that is to answer."""
    metadata = (("authorization", f"Bearer {token()}"), ("x-request-id", new_id("req")))
    return (*metadata, ("x-storex-snapshot", snapshot)) if snapshot else metadata
