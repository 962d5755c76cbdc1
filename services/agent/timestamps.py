"""Moments as messages carry them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason, StorexError


def timestamp(seconds: float) -> Timestamp:
    """The moment that is so many seconds after the Unix epoch."""
    stamp = Timestamp()
    stamp.FromNanoseconds(int(seconds * 1e9))
    return stamp


def epoch_seconds(stamp: Timestamp) -> float:
    """Seconds from the Unix epoch to the moment."""
    return stamp.ToNanoseconds() / 1e9


def asked_range(minutes: int, until: str) -> tuple[Timestamp, Timestamp]:
    """The range that a tool is asked for: so many minutes until a moment as in 2026-11-22T02:30:00Z, empty for now.

    Raises StorexError TIME_RANGE_INVALID for what is not a moment.
    """
    try:
        end = _epoch(until) if until else time.time()
        return timestamp(end - 60.0 * minutes), timestamp(end)
    except (ValueError, OverflowError):
        problem = "a moment is written as 2026-11-22T02:30:00Z, and a range has a start"
        raise StorexError(Reason.TIME_RANGE_INVALID, problem=problem) from None


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
