from __future__ import annotations

from services.shard.sampler.dating import Dating


class Clocks:
    """A wall clock and a monotonic one that part."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.ticks = 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.ticks

    def pass_time(self, seconds: float, *, set_by: float = 0.0) -> None:
        self.ticks += seconds
        self.wall += seconds + set_by


def test_dates_follow_the_clock() -> None:
    clocks = Clocks()
    dating = Dating(clocks)
    clocks.pass_time(7.0)
    dated = dating.now()
    assert (dated.at, dated.step, dated.forget_after) == (clocks.wall, 0.0, None)


def test_a_small_correction_never_turns_the_order_of_samples() -> None:
    clocks = Clocks()
    dating = Dating(clocks)
    dates = []
    for correction in (0.0, -1.5, 0.0, 0.8):
        clocks.pass_time(1.0, set_by=correction)
        dates.append(dating.now())
    assert [dated.step for dated in dates] == [0.0] * 4
    assert sorted({dated.at for dated in dates}) == [dated.at for dated in dates]


def test_a_clock_that_was_set_is_told_once() -> None:
    clocks = Clocks()
    dating = Dating(clocks)
    clocks.pass_time(1.0, set_by=3600.0)
    ahead = dating.now()
    assert (ahead.step, ahead.forget_after) == (3600.0, None)
    clocks.pass_time(1.0)
    assert dating.now().step == 0.0
    clocks.pass_time(1.0, set_by=-3600.0)
    back = dating.now()
    assert (back.step, back.at, back.forget_after) == (-3600.0, clocks.wall, clocks.wall)


def test_a_machine_that_slept_did_not_have_its_clock_set_wrong() -> None:
    clocks = Clocks()
    dating = Dating(clocks)
    clocks.pass_time(0.0, set_by=900.0)  # the monotonic clock stands still while a machine sleeps
    assert dating.now().forget_after is None
