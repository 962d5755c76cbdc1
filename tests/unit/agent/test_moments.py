from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.agent.moments import asked_time

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("and last night?", "2026-11-21T22:00", "2026-11-22T06:00"),
        ("what happened overnight?", "2026-11-21T22:00", "2026-11-22T06:00"),
        ("was it slow yesterday?", "2026-11-21T00:00", "2026-11-22T00:00"),
        ("yesterday evening?", "2026-11-21T17:00", "2026-11-21T23:00"),
        ("this morning?", "2026-11-22T06:00", "2026-11-22T09:00"),
        ("what happened at 02:30?", "2026-11-22T02:00", "2026-11-22T03:00"),
        ("what was it at 23:10", "2026-11-21T22:40", "2026-11-21T23:40"),
        ("between 02:00 and 02:20?", "2026-11-22T02:00", "2026-11-22T02:20"),
        ("what about from 23:30 to 00:30?", "2026-11-21T23:30", "2026-11-22T00:30"),
        ("yesterday at 15:00", "2026-11-21T14:30", "2026-11-21T15:30"),
        ("on 2026-11-20?", "2026-11-20T00:00", "2026-11-21T00:00"),
        ("on 2026-11-20 at 04:10", "2026-11-20T03:40", "2026-11-20T04:40"),
        ("at 2026-11-20T04:10Z", "2026-11-20T03:40", "2026-11-20T04:40"),
        ("two hours ago?", "2026-11-22T06:30", "2026-11-22T07:30"),
        ("why was it slow 20 minutes ago?", "2026-11-22T08:35", "2026-11-22T08:45"),
    ],
)
def test_a_time_that_is_over(question: str, start: str, end: str) -> None:
    asked = asked_time(question, NOW.timestamp())
    assert asked is not None
    assert asked.end == _moment(end)
    assert asked.end - asked.seconds == _moment(start)


@pytest.mark.parametrize(
    ("question", "seconds"),
    [
        ("why is it slow since 08:00?", 5400.0),
        ("it got slow 10 minutes ago, why?", 900.0),
        ("what changed in the last hour?", 3600.0),
        ("errors over the past 15 minutes", 900.0),
        ("is it still slow since yesterday?", 86_400.0),
    ],
)
def test_now_with_how_far_back_to_look(question: str, seconds: float) -> None:
    asked = asked_time(question, NOW.timestamp())
    assert asked is not None
    assert (asked.end, asked.seconds) == (None, seconds)


@pytest.mark.parametrize("question", ["why is it slow?", "kill 812?", "port 3306:1?", "what is 99:99", "2026-13-99?"])
def test_no_time_at_all(question: str) -> None:
    assert asked_time(question, NOW.timestamp()) is None
