"""Leaves a failing database alone for a while, and lets one try through after that."""

from __future__ import annotations

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError

_COUNTED = frozenset(
    {
        Reason.DATABASE_UNREACHABLE,
        Reason.DATABASE_ACCESS_DENIED,
        Reason.DATABASE_PASSWORD_MISSING,
        Reason.DATABASE_TOO_MANY_CONNECTIONS,
        Reason.DATABASE_TIMEOUT,
    }
)
_TOLD_AS_THEMSELVES = frozenset(
    {
        Reason.DATABASE_UNREACHABLE,
        Reason.DATABASE_ACCESS_DENIED,
        Reason.DATABASE_PASSWORD_MISSING,
        Reason.DATABASE_TOO_MANY_CONNECTIONS,
    }
)
"""These say what to do about it; a row of time-outs is told as DATABASE_CIRCUIT_OPEN."""


class CircuitBreaker:
    """Opens after `threshold` failures in a row, for a time that doubles up to `longest` seconds."""

    def __init__(self, clock: Clock, *, threshold: int = 3, shortest: float = 2.0, longest: float = 15.0) -> None:
        self._clock = clock
        self._threshold = threshold
        self._shortest = shortest
        self._longest = longest
        self._failures = 0
        self._open_until = 0.0
        self._reason = Reason.DATABASE_UNREACHABLE

    def check(self) -> None:
        """Raise while the database is left alone: the reason for that, or DATABASE_CIRCUIT_OPEN."""
        remaining = self._open_until - self._clock.monotonic()
        if self._failures < self._threshold or remaining <= 0:
            return
        reason = self._reason if self._reason in _TOLD_AS_THEMSELVES else Reason.DATABASE_CIRCUIT_OPEN
        raise StorexError(reason, detail="circuit open", retry_seconds=round(remaining, 1))

    def succeeded(self) -> None:
        """The database answered."""
        self._failures = 0

    def failed(self, error: StorexError) -> None:
        """The database did not answer, or not as it should; errors of single statements do not count."""
        if error.reason not in _COUNTED:
            return
        self._failures += 1
        self._reason = error.reason
        excess = self._failures - self._threshold
        if excess >= 0:
            pause = min(self._longest, self._shortest * 2.0 ** min(excess, 10))
            self._open_until = self._clock.monotonic() + pause
