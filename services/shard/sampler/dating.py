"""Dates samples by a wall clock that may be set while the shard runs."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.clock import Clock

STEP_SECONDS = 2.0
"""A clock that is corrected by less is followed without a word."""


@dataclass(frozen=True, slots=True)
class Dated:
    """The date of a sample in seconds since the epoch, and by how much the clock had been set since the one before."""

    at: float
    step: float

    @property
    def forget_after(self) -> float | None:
        """After a step back: everything that carries a later date was dated by a clock that was wrong."""
        return self.at if self.step < 0.0 else None


class Dating:
    """Follows the wall clock; dates never go back, except with a step that is told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.now()
        self._monotonic = clock.monotonic()

    def now(self) -> Dated:
        """The date of something that happens now."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        step = wall - self._at - (monotonic - self._monotonic)
        if abs(step) <= STEP_SECONDS:
            step = 0.0
            wall = max(wall, self._at + 0.001)
        self._at, self._monotonic = wall, monotonic
        return Dated(wall, step)
