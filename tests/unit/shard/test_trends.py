from __future__ import annotations

import random

import pytest

from services.shard.detectors.readings import Readings, entity
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestSample, History, StatusSample
from services.shard.verdict.trends import Trend, add_trend, trend
from storex.diagnostics.v1.finding_pb2 import SHAPE_DRIFT, SHAPE_SPIKE, SHAPE_STEP, Finding


def noisy(level: float, spread: float, chance: random.Random) -> float:
    return max(0.0, level + chance.uniform(-spread, spread))


@pytest.mark.parametrize("before", [8, 60, 600])
@pytest.mark.parametrize("since", [6, 30, 300])
def test_a_step_is_dated_to_the_second(before: int, since: int) -> None:
    chance = random.Random(before * since)
    series = [(float(at), noisy(5.0 if at < before else 40.0, 2.0, chance)) for at in range(before + since)]
    found = trend(series, 1.0)
    assert found is not None
    assert found.shape == SHAPE_STEP
    assert found.onset == pytest.approx(before, abs=1.0)


@pytest.mark.parametrize("since", [8, 60, 300])
def test_a_drift_is_dated_by_its_beginning(since: int) -> None:
    chance = random.Random(since)
    series = [(float(at), noisy(10.0 + max(0, at - 60) * 4.0, 1.0, chance)) for at in range(60 + since)]
    found = trend(series, 5.0)
    assert found is not None
    assert found.shape == SHAPE_DRIFT
    assert found.onset == pytest.approx(60, abs=0.15 * since + 2.0)


def test_what_rose_and_fell_back_is_a_spike() -> None:
    chance = random.Random(7)
    series = [(float(at), noisy(50.0 if 100 <= at < 115 else 2.0, 1.0, chance)) for at in range(140)]
    found = trend(series, 1.0)
    assert found is not None
    assert found.shape == SHAPE_SPIKE
    assert found.onset == pytest.approx(100, abs=1.0)


@pytest.mark.parametrize("level", [0.0, 3.0, 1000.0])
def test_noise_is_no_movement(level: float) -> None:
    chance = random.Random(3)
    assert trend([(float(at), noisy(level, level / 10, chance)) for at in range(300)], 1.0) is None


def test_an_old_spike_and_one_odd_sample_are_nothing_now() -> None:
    series = [(float(at), 90.0 if 20 <= at < 40 else 2.0) for at in range(300)]
    assert trend(series, 1.0) is None
    series = [(float(at), 90.0 if at == 295 else 2.0) for at in range(300)]
    assert trend(series, 1.0) is None


def test_an_older_and_larger_spike_does_not_hide_a_step() -> None:
    series = [(float(at), 500.0 if 20 <= at < 40 else 40.0 if at >= 250 else 5.0) for at in range(300)]
    assert trend(series, 1.0) == Trend(250.0, SHAPE_STEP)


def test_what_was_there_before_the_first_sample_has_no_onset() -> None:
    assert trend([(float(at), 40.0) for at in range(100)], 1.0) is None
    assert trend([(float(at), 5.0 if at > 90 else 40.0) for at in range(100)], 1.0) is None


def readings_with(history: History, at: float) -> Readings:
    return Readings({}, {}, history, at=at, now=1_800_000_000.0)


def test_a_statement_is_dated_by_its_own_work() -> None:
    history, place = History(), DIGEST_COUNTERS.index("total_picoseconds")
    for at in range(0, 60, 2):
        busy = max(0, at - 40) * 10**12
        counters = tuple(busy if number == place else 0 for number in range(len(DIGEST_COUNTERS)))
        history.add_digests(DigestSample(1000.0 + at, {("shop", "d1"): counters, ("shop", "d2"): counters[:1] * 13}))
    finding = Finding(kind="query.heavy_scan", entities=[entity("cause", "statement_digest", "d1")])
    add_trend(finding, readings_with(history, 1060.0))
    assert finding.shape == SHAPE_STEP
    assert 1_800_000_000.0 - finding.onset.ToSeconds() == pytest.approx(19, abs=2)


def test_a_detectors_own_date_is_kept_where_it_knows_better() -> None:
    history = History()
    for at in range(60):
        history.add_status(StatusSample(float(at), {"Innodb_row_lock_current_waits": 6.0 if at >= 50 else 0.0}))
    finding = Finding(kind="lock.row_blocker")
    finding.onset.FromSeconds(1_799_999_000)
    add_trend(finding, readings_with(history, 60.0))
    assert (finding.shape, finding.onset.ToSeconds()) == (SHAPE_STEP, 1_799_999_000)


def test_without_samples_nothing_is_said() -> None:
    for kind in ("lock.hot_row", "query.heavy_scan", "capacity.auto_increment"):
        finding = Finding(kind=kind)
        add_trend(finding, readings_with(History(), 60.0))
        assert not finding.shape
        assert not finding.HasField("onset")
