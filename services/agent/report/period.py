"""A time that is over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, in seconds since the epoch."""

    start: float
    end: float
