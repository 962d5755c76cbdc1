from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason, StorexError
from services.shard.history.ranges import Range, asked_range, asked_seconds, limits_of
from storex.history.v1.history_pb2 import GetMetricHistoryRequest

NOW = 1_800_000_000.0


def request(start: float | None = None, end: float | None = None) -> GetMetricHistoryRequest:
    asked = GetMetricHistoryRequest()
    if start is not None:
        asked.start.CopyFrom(Timestamp(seconds=int(start)))
    if end is not None:
        asked.end.CopyFrom(Timestamp(seconds=int(end)))
    return asked


def test_what_is_unset_means_the_last_while() -> None:
    assert asked_range(request(), NOW, 3600.0) == Range(NOW - 3600.0, NOW)
    assert asked_range(request(end=NOW - 60), NOW, 3600.0) == Range(NOW - 3660.0, NOW - 60.0)
    assert asked_range(request(start=NOW - 60), NOW, 3600.0) == Range(NOW - 60.0, NOW)


def test_an_end_in_the_future_means_now() -> None:
    assert asked_range(request(NOW - 60, NOW + 60), NOW, 1.0) == Range(NOW - 60.0, NOW)


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        (NOW - 60, NOW - 120, "not before the end"),
        (NOW - 60, NOW - 60, "not before the end"),
        (NOW + 1, NOW + 9, "in the future"),
        (-9, NOW, "the field start"),
        (NOW - 60, 999_999_999_999, "the field end"),
    ],
)
def test_ranges_that_are_none_say_why(start: float, end: float, told: str) -> None:
    with pytest.raises(StorexError) as caught:
        asked_range(request(start, end), NOW, 1.0)
    assert caught.value.reason is Reason.TIME_RANGE_INVALID
    assert told in caught.value.public_message


def test_spans_are_bounded() -> None:
    asked = GetMetricHistoryRequest()
    assert asked_seconds(asked, "step", 7.0, shortest=1.0, longest=60.0) == 7.0
    asked.step.CopyFrom(Duration(nanos=5))
    with pytest.raises(StorexError, match="REQUEST_INVALID"):
        asked_seconds(asked, "step", 7.0, shortest=1.0, longest=60.0)


def test_what_is_kept_only_in_part_is_answered_in_part() -> None:
    kept = (NOW - 1000, NOW)
    assert limits_of(Range(NOW - 500, NOW), kept) == []
    (short,) = limits_of(Range(NOW - 5000, NOW), kept)
    assert short.code == "HISTORY_SHORTER"
    (nothing,) = limits_of(Range(NOW - 5000, NOW), None)
    assert nothing.code == "NOTHING_RECORDED"


@pytest.mark.parametrize("asked", [Range(NOW - 5000, NOW - 4000), Range(NOW + 1, NOW + 2)])
def test_what_is_not_kept_at_all_says_what_is(asked: Range) -> None:
    with pytest.raises(StorexError) as caught:
        limits_of(asked, (NOW - 1000, NOW))
    assert caught.value.reason is Reason.TIME_OUTSIDE_RETENTION
    assert caught.value.public_message.endswith("from 2027-01-15T07:43:20Z to 2027-01-15T08:00:00Z.")
