"""Moments as messages carry them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TypedDict

from google.protobuf.duration_pb2 import Duration
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


def moment(text: str) -> Timestamp:
    """A moment as in 2026-11-22T02:30:00Z. Raises StorexError TIME_RANGE_INVALID for what is none."""
    return asked_range(1, text)[1]


class Past(TypedDict, total=False):
    """The fields of a request about a time that is over; empty for now."""

    at: Timestamp
    window: Duration


def asked_past(minutes: int, until: str) -> Past:
    """So many minutes until a moment, or nothing for an empty one. Raises StorexError TIME_RANGE_INVALID."""
    return Past(at=moment(until), window=Duration(seconds=60 * minutes)) if until else Past()


def _epoch(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
