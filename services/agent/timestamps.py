"""Moments as messages carry them."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(seconds: float) -> Timestamp:
    """The moment that is so many seconds after the Unix epoch."""
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp


def epoch_seconds(stamp: Timestamp) -> float:
    """Seconds from the Unix epoch to the moment."""
    return stamp.ToNanoseconds() / 1e9
