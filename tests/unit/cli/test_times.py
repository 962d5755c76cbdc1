from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from libs.cli.failures import CommandError
from libs.cli.times import parse_moment, parse_span

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 22, 3, 15, 7, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172800), ("0.5h", 1800)]
)
def test_spans(text: str, seconds: float) -> None:
    assert parse_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-5m", "0s", "1x", "5m!", "9" * 30 + "d"])
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(CommandError, match="is not a span"):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("02:30", datetime(2026, 11, 22, 2, 30, tzinfo=ZONE)),
        ("23:45:10", datetime(2026, 11, 21, 23, 45, 10, tzinfo=ZONE)),
        ("03:15:07", NOW),
        ("20m", NOW - timedelta(minutes=20)),
        ("2026-11-20 02:30", datetime(2026, 11, 20, 2, 30, tzinfo=ZONE)),
        ("2026-11-20T02:30Z", datetime(2026, 11, 20, 2, 30, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert parse_moment(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "25:00", "yesterday", "2026-13-01", "02:60"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(CommandError, match="is not a time"):
        parse_moment(text, NOW)
