"""When a statement's work a call changed."""

from __future__ import annotations

import pytest

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestCounters, DigestSample
from services.shard.work.digest_window import DigestDelta
from services.shard.work.work_changes import unindexed_calls, work_change

KEY = ("shop", "d1")
MILLISECOND = 10**9
"""In picoseconds."""
DELTA = DigestDelta(*KEY, "SELECT ?", {})


def counters(**values: int) -> DigestCounters:
    return tuple({**dict.fromkeys(DIGEST_COUNTERS, 0), **values}[name] for name in DIGEST_COUNTERS)


def samples(*counted: DigestCounters) -> list[DigestSample]:
    return [DigestSample(float(at), {KEY: found}) for at, found in enumerate(counted)]


def test_the_change_lies_where_it_divides_best() -> None:
    good = [counters(calls=number * 100, rows_examined=number * 1000) for number in (1, 2, 3)]
    bad = [counters(calls=300 + number * 10, rows_examined=3000 + number * 100_000) for number in (1, 2)]
    change = work_change(samples(*good, bad[0]), DELTA, bad[1], 4.0)
    assert change is not None
    assert (change.at, change.before.calls, change.before.rows_examined) == (3.0, 300, 10.0)
    assert (change.after.calls, change.after.rows_examined) == (20, 10_000.0)


def test_what_the_engine_counted_before_the_first_sample_is_known_too() -> None:
    change = work_change(
        samples(counters(calls=1000, rows_examined=2000)), DELTA, counters(calls=1010, rows_examined=102_000), 1.0
    )
    assert change is not None
    assert (change.before.rows_examined, change.after.rows_examined) == (2.0, 10_000.0)


@pytest.mark.parametrize(
    "before",
    [
        [],  # no sample
        [counters()],  # it was not there
        [counters(calls=9, rows_examined=9)],  # too few calls to tell
        [counters(calls=5000, rows_examined=9)],  # the counters were reset since
        [counters(calls=50, rows_examined=900_000)],  # it has become cheaper
    ],
)
def test_no_change_is_made_up(before: list[DigestCounters]) -> None:
    assert work_change(samples(*before), DELTA, counters(calls=100, rows_examined=1_000_000), 9.0) is None


def test_reading_a_whole_index_counts_as_a_scan() -> None:
    counted = dict(zip(DIGEST_COUNTERS, counters(calls=10, full_scans=10), strict=True))
    assert unindexed_calls(counted) == 10
    assert unindexed_calls({**counted, "full_joins": 30}) == 10


def test_a_change_that_is_over_is_none() -> None:
    good, bad = counters(calls=100, rows_examined=1_000), counters(calls=150, rows_examined=1_000_000)
    assert work_change(samples(good), DELTA, bad, 1.0) is not None
    assert work_change(samples(good, bad), DELTA, counters(calls=200, rows_examined=1_000_500), 2.0) is None


def test_joins_that_the_engine_does_not_count_are_estimated_once_they_begin() -> None:
    indexed = counters(
        calls=100, rows_examined=6_400, rows_sent=2_400, total_picoseconds=20 * MILLISECOND, full_scans=100
    )
    joined = {"rows_examined": 8_000, "rows_sent": 4_800, "total_picoseconds": 4_020 * MILLISECOND}
    whole = counters(calls=200, full_scans=200, full_joins=100, **joined)
    assert work_change(samples(indexed), DELTA, whole, 1.0) is None
    change = work_change(samples(indexed), DELTA, whole, 1.0, joins_uncounted=True)
    assert change is not None
    assert (change.before.rows_examined, change.after.rows_examined) == (64.0, 40_000.0)


def test_a_join_that_was_so_before_is_not_called_changed_because_it_takes_longer() -> None:
    quick = counters(calls=100, rows_examined=4_000, total_picoseconds=20 * MILLISECOND, full_joins=100)
    slow = counters(calls=200, rows_examined=8_000, total_picoseconds=4_020 * MILLISECOND, full_joins=200)
    assert work_change(samples(quick), DELTA, slow, 1.0, joins_uncounted=True) is None
