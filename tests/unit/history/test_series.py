from __future__ import annotations

import pytest

from services.shard.history.ranges import Range
from services.shard.history.series import MOST_POINTS, gaps_in, in_steps, read_points, tier_for, usual_step
from services.shard.stores.records import Point, Tier

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86_400.0


def points(*times: float) -> list[Point]:
    return [Point(at, 1.0, 1.0, 1.0) for at in times]


@pytest.mark.parametrize(
    ("back", "step", "tier"),
    [
        (HOUR, 1.0, Tier.RAW),
        (HOUR, 60.0, Tier.FINE),
        (3 * HOUR, 1.0, Tier.FINE),
        (7 * DAY, 600.0, Tier.FINE),
        (7 * DAY, 2 * HOUR, Tier.COARSE),
        (90 * DAY, 60.0, Tier.COARSE),
        (9000 * DAY, 60.0, Tier.COARSE),
    ],
)
def test_the_finest_tier_that_is_needed_and_still_kept(back: float, step: float, tier: Tier) -> None:
    assert tier_for(Range(NOW - back, NOW), step, NOW) is tier


@pytest.mark.parametrize("seconds", [5.0, HOUR, DAY, 30 * DAY, 400 * DAY])
def test_the_usual_step_fits(seconds: float) -> None:
    asked = Range(NOW - seconds, NOW)
    assert seconds / usual_step(asked) <= MOST_POINTS


def test_what_has_not_been_summed_up_yet_comes_from_the_finer_tiers() -> None:
    held = {
        Tier.COARSE: points(0.0, 3600.0),
        Tier.FINE: points(*(60.0 * n for n in range(130))),
        Tier.RAW: points(*(float(n) for n in range(7700, 7900))),
    }

    def fetch(tier: Tier, start: float, end: float) -> list[Point]:
        return [point for point in held[tier] if start <= point.at < end]

    times = [point.at for point in read_points(fetch, Tier.COARSE, Range(0.0, 7900.0))]
    assert times[:2] == [0.0, 3600.0]
    assert times[2:12] == [7200.0 + 60.0 * n for n in range(10)]
    assert times[12:] == [7800.0 + n for n in range(100)]


def test_steps_keep_the_extremes() -> None:
    assert in_steps([Point(1.0, 4.0, 2.0, 9.0), Point(9.0, 6.0, 3.0, 7.0), Point(25.0, 1.0, 1.0, 1.0)], 10.0) == [
        Point(0.0, 5.0, 2.0, 9.0),
        Point(20.0, 1.0, 1.0, 1.0),
    ]


def test_gaps_at_the_ends_and_in_between() -> None:
    seconds = points(*range(100, 130), *range(200, 230))
    assert gaps_in(seconds, Range(50.0, 300.0), 1.0) == [Range(50.0, 100.0), Range(130.0, 200.0), Range(230.0, 300.0)]
    assert gaps_in([], Range(0.0, 60.0), 1.0) == [Range(0.0, 60.0)]


def test_a_sample_that_came_late_is_no_gap() -> None:
    assert gaps_in(points(0, 1, 4, 5, 8), Range(0.0, 9.0), 1.0) == []
    assert gaps_in(points(0, 60, 180), Range(0.0, 240.0), 60.0) == []
