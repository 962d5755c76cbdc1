"""Ranges of time as callers ask for them, checked against the clock and against what is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason, StorexError
from storex.common.v1 import entity_pb2

_LATEST = 253_402_300_800.0
"""The year 10000, in seconds since the epoch."""

Span = tuple[float, float]
"""Oldest and newest moment that is kept."""


@dataclass(frozen=True, slots=True)
class Range:
    """From `start` to before `end`, in seconds since the epoch."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.start


def asked_range(request: Message, now: float, default_seconds: float) -> Range:
    """The range of a request's `start` and `end`; unset they mean `default_seconds` until now.

    Raises StorexError TIME_RANGE_INVALID for reversed times, a start in the future, and moments that there are not.
    """
    end = min(now, moment(request, "end", now))
    start = moment(request, "start", end - default_seconds)
    if start >= now:
        raise StorexError(Reason.TIME_RANGE_INVALID, problem="the start lies in the future")
    if start >= end:
        raise StorexError(Reason.TIME_RANGE_INVALID, problem="the start is not before the end")
    return Range(start, end)


def moment(request: Message, field: str, unset: float) -> float:
    """A timestamp field in seconds since the epoch. Raises StorexError TIME_RANGE_INVALID."""
    if not request.HasField(field):
        return unset
    stamp: Timestamp = getattr(request, field)
    seconds = stamp.seconds + stamp.nanos / 1e9
    if not 0.0 <= seconds < _LATEST:
        raise StorexError(Reason.TIME_RANGE_INVALID, problem=f"there is no such moment as the field {field} says")
    return seconds


def asked_seconds(request: Message, field: str, unset: float, *, shortest: float, longest: float) -> float:
    """A duration field in seconds. Raises StorexError REQUEST_INVALID where it is out of its bounds."""
    if not request.HasField(field):
        return unset
    duration: Duration = getattr(request, field)
    seconds = duration.seconds + duration.nanos / 1e9
    if not (math.isfinite(seconds) and shortest <= seconds <= longest):
        problem = f"it must be between {shortest:g} and {longest:g} seconds"
        raise StorexError(Reason.REQUEST_INVALID, field=field, problem=problem)
    return seconds


def limits_of(asked: Range, kept: Span | None) -> list[entity_pb2.Limit]:
    """What a range lacks because it was not recorded, or is not kept any more.

    Raises StorexError TIME_OUTSIDE_RETENTION where all of it lies outside.
    """
    if kept is None:
        message = "Nothing has been recorded of this instance yet."
        return [entity_pb2.Limit(source="history", code="NOTHING_RECORDED", message=message, remedy="Try again later.")]
    oldest, newest = kept
    if asked.end <= oldest or asked.start > newest:
        raise StorexError(Reason.TIME_OUTSIDE_RETENTION, oldest=iso(oldest), newest=iso(newest))
    if asked.start < oldest - 1.0:
        message = f"Nothing is kept from before {iso(oldest)}."
        return [entity_pb2.Limit(source="history", code="HISTORY_SHORTER", message=message)]
    return []


def iso(at: float) -> str:
    """A moment as people write it, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
