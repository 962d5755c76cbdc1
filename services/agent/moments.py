"""The time that a question is about, out of its words. Times without a zone are UTC, and reports print UTC.

"Last night" and "at 02:30" are over: the answer comes from the record. "Since 02:30" and "it began an hour ago" are
about now, and only say how far back to look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LONGEST_SECONDS = 86_400.0
"""The longest time that one question can be about."""
_AROUND_SECONDS = 1800.0
"""How much before and after a moment belongs to it."""
_SHORTEST_SECONDS = 60.0

_UNITS = {"second": 1.0, "sec": 1.0, "minute": 60.0, "min": 60.0, "hour": 3600.0, "hr": 3600.0, "day": 86_400.0}
_NUMBER = r"(?P<number>\d{1,4}|an?|one|two|three|few|half an)"
_UNIT = r"(?P<unit>second|sec|minute|min|hour|hr|day)s?"
_WORDS = {"a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "few": 3.0, "half an": 0.5}

_AGO = re.compile(rf"\b{_NUMBER}\s+{_UNIT}\s+ago\b", re.IGNORECASE)
_LAST = re.compile(rf"\b(?:last|past)\s+(?:{_NUMBER}\s+)?{_UNIT}\b", re.IGNORECASE)
_CLOCK = r"(?P<{0}>(?:[01]?\d|2[0-3]):[0-5]\d)"
_BETWEEN = re.compile(
    rf"\b(?:between|from)\s+{_CLOCK.format('first')}\s*(?:and|to|until|-)\s*{_CLOCK.format('last')}", re.IGNORECASE
)
_AT = re.compile(rf"(?<![\d:]){_CLOCK.format('at')}(?![\d:])", re.ASCII)
_DATE = re.compile(r"(?<!\d)(?P<date>20\d\d-\d\d-\d\d)(?:[T ](?P<clock>[0-2]\d:[0-5]\d))?", re.ASCII)
_BEGAN = re.compile(
    r"\b(since|began|started|starting|got|became|has been|have been|still|now|currently|right now)\b", re.IGNORECASE
)
_PARTS_OF_DAY = (
    ("last night", -1, 22, 6),
    ("yesterday morning", -1, 6, 12),
    ("yesterday afternoon", -1, 12, 18),
    ("yesterday evening", -1, 17, 23),
    ("yesterday night", -1, 22, 6),
    ("overnight", -1, 22, 6),
    ("tonight", 0, 0, 6),
    ("this morning", 0, 6, 12),
    ("this afternoon", 0, 12, 18),
    ("yesterday", -1, 0, 24),
)
"""Words, the day that they begin on counted from today, and the hours from and to; a smaller hour is the next day's."""


@dataclass(frozen=True, slots=True)
class AskedTime:
    """`end` is the end of a time that is over, None for now; `seconds` is how long before that to look."""

    end: float | None
    seconds: float


def asked_time(question: str, now: float) -> AskedTime | None:
    """The time that a question names, None where it names none. `now` is in seconds since the epoch."""
    found = _range(question, datetime.fromtimestamp(now, UTC))
    if found is None:
        last = _LAST.search(question)
        return None if last is None else AskedTime(None, min(_span(last, 1.0), LONGEST_SECONDS))
    start, end = found[0].timestamp(), min(found[1].timestamp(), now)
    if _BEGAN.search(question):
        return AskedTime(None, _within(now - start))
    return AskedTime(end, _within(end - start))


def _within(seconds: float) -> float:
    return min(max(seconds, _SHORTEST_SECONDS), LONGEST_SECONDS)


def _range(question: str, now: datetime) -> tuple[datetime, datetime] | None:
    date = _DATE.search(question)
    day = _day(date["date"]) if date is not None else None
    lowered = question.lower()
    if date is not None and day is not None and date["clock"]:
        return _around(_on(day, date["clock"]))
    between = _BETWEEN.search(question)
    if between is not None:
        start = _on(day or _named_day(lowered, now), between["first"])
        start = start - timedelta(days=1) if start > now else start
        end = start.replace(hour=0, minute=0) + _clock(between["last"])
        return start, end if end > start else end + timedelta(days=1)
    at = _AT.search(question)
    if at is not None:
        moment = _on(day or _named_day(lowered, now), at["at"])
        return _around(moment - timedelta(days=1) if moment > now else moment)
    if day is not None:
        return day, day + timedelta(days=1)
    ago = _AGO.search(question)
    if ago is not None:
        seconds = _span(ago, 1.0)
        half = timedelta(seconds=min(max(seconds / 4, 300.0), 3600.0))
        moment = now - timedelta(seconds=seconds)
        return moment - half, moment + half
    return _part_of_day(lowered, now)


def _part_of_day(lowered: str, now: datetime) -> tuple[datetime, datetime] | None:
    for words, offset, first, last in _PARTS_OF_DAY:
        if words in lowered:
            day = _midnight(now) + timedelta(days=offset)
            start = day + timedelta(hours=first)
            end = day + timedelta(hours=last if last > first else last + 24)
            # Asked in the middle of the night, "tonight" and "this morning" are of the day before until they begin.
            return (start, end) if start < now else (start - timedelta(days=1), end - timedelta(days=1))
    return None


def _named_day(lowered: str, now: datetime) -> datetime:
    return _midnight(now) - timedelta(days=1) if "yesterday" in lowered else _midnight(now)


def _day(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _on(day: datetime, clock: str) -> datetime:
    return day + _clock(clock)


def _clock(text: str) -> timedelta:
    hour, minute = text.split(":")
    return timedelta(hours=int(hour), minutes=int(minute))


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _around(moment: datetime) -> tuple[datetime, datetime]:
    half = timedelta(seconds=_AROUND_SECONDS)
    return moment - half, moment + half


def _span(match: re.Match[str], unsaid: float) -> float:
    said = (match["number"] or "").lower()
    number = _WORDS.get(said, float(said) if said.isdecimal() else unsaid)
    return number * _UNITS[match["unit"].lower()]
