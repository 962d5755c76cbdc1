"""Moments and spans as people write them at three in the morning."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from libs.cli.failures import CommandError, ExitStatus

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def parse_span(text: str) -> timedelta:
    """A span such as `90s`, `10m`, `1h30m` or `2d`; longer than nothing. Raises CommandError."""
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise _unclear(text, "a span", "Write it as 90s, 10m, 1h30m or 2d.")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        span = timedelta(seconds=seconds)
    except OverflowError:
        raise _unclear(text, "a span", "It is longer than any record.") from None
    if not span:
        raise _unclear(text, "a span", "It must be longer than nothing.")
    return span


def parse_moment(text: str, now: datetime) -> datetime:
    """A moment: `2026-11-22T02:30Z`, `2026-11-22 02:30`, `02:30` (the last one there was), or `20m` (ago).

    `now` carries the time zone that a moment without one is meant in. Raises CommandError.
    """
    if _SPAN.match(text):
        return now - parse_span(text)
    clock = _CLOCK.fullmatch(text)
    try:
        if clock is not None:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            moment = now.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return moment if moment <= now else moment - timedelta(days=1)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _unclear(text, "a time", "Write it as 02:30, 2026-11-22T02:30Z, or 20m for twenty minutes ago.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)


def _unclear(text: str, kind: str, remedy: str) -> CommandError:
    return CommandError(f"{text!r} is not {kind}.", remedy, ExitStatus.USAGE)
