"""The time that a question is about: what the request says, or else its words, or else what the session talks about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from services.agent.inquiry import Turn
from services.agent.moments import LONGEST_SECONDS, asked_time
from services.agent.timestamps import epoch_seconds
from storex.agent.v1 import agent_pb2

DEFAULT_SECONDS = 600.0
_NOW_SECONDS = 20.0
"""How far from now a moment still counts as now: clocks differ, and people are slower than machines."""
_NOW = re.compile(r"\b(?:now|still|currently|at the moment|any ?more|today|again|right now)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class QuestionTime:
    """`end` in seconds since the epoch, None for now; `seconds` before it. `said` is whether the asker named it."""

    end: float | None
    seconds: float
    said: bool


def time_of(request: agent_pb2.AskRequest, question: str, now: float) -> QuestionTime:
    """The time of a question. Raises StorexError REQUEST_INVALID for one in the future, or longer than a day."""
    seconds = _duration(request)
    if request.HasField("at"):
        at = epoch_seconds(request.at)
        if at > now + _NOW_SECONDS:
            raise StorexError(Reason.REQUEST_INVALID, field="at", problem="it lies in the future")
        return QuestionTime(at if at < now - _NOW_SECONDS else None, seconds or DEFAULT_SECONDS, said=True)
    words = asked_time(question, now)
    if words is not None:
        return QuestionTime(words.end, seconds or words.seconds, said=True)
    return QuestionTime(None, seconds or DEFAULT_SECONDS, said=False)


def going_on(asked: QuestionTime, question: str, earlier: Sequence[Turn]) -> QuestionTime:
    """For a follow-up that names no time: the time of the last report, unless it asks about now."""
    last = next((turn.report for turn in reversed(earlier) if turn.report is not None), None)
    if last is None or not last.HasField("about_end") or _NOW.search(question):
        return asked
    end = epoch_seconds(last.about_end)
    return QuestionTime(end, end - epoch_seconds(last.about_start), said=False)


def _duration(request: agent_pb2.AskRequest) -> float | None:
    if not request.HasField("duration"):
        return None
    seconds = request.duration.ToNanoseconds() / 1e9
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise StorexError(Reason.REQUEST_INVALID, field="duration", problem="it must be from 1 second to 24 hours")
    return seconds
