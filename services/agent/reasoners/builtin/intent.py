"""What a follow-up asks for, by its words."""

from __future__ import annotations

import re

from services.agent.report.draft import Aspect

_WORDS = {
    Aspect.WHO: r"who|whose|(which|what) (client|user|host|program|app|application|connection|session|owner)",
    Aspect.WHAT: r"(which|what) (table|tables|index|indexes|quer(y|ies)|statement|statements|sql|schema)",
    Aspect.WHEN: r"since when|when did|how long",
    Aspect.KILL: r"kill|terminate|end (it|that|this|the (session|connection))",
    Aspect.STEPS: r"what (should|can|do) (i|we)|how (do|can|should) (i|we)|next steps?|mitigate|remediat\w*",
}
_PATTERNS = {aspect: re.compile(rf"\b({words})\b", re.IGNORECASE) for aspect, words in _WORDS.items()}
_AFRESH = re.compile(r"\b(again|still|now|gone|better|recovered|resolved|last night|yesterday|ago)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(last (night|week|hour)|yesterday|(hours?|minutes?|days?) ago|\d{1,2}:\d{2})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b\d{1,9}\b", re.ASCII)
_ADVICE = {Aspect.KILL, Aspect.STEPS}


def aspects_of(question: str) -> tuple[Aspect, ...]:
    """What is asked for of a known diagnosis, in the order to answer in; empty when it is to be made afresh.

    "Now" and its like mean afresh, but not in a question for advice ("what can I do now?").
    """
    asked = tuple(aspect for aspect, pattern in _PATTERNS.items() if pattern.search(question))
    return () if _AFRESH.search(question) and not _ADVICE & set(asked) else asked


def asks_about_the_past(question: str) -> bool:
    """Whether the question names a time that is over."""
    return _PAST.search(question) is not None


def connection_asked_about(question: str) -> str:
    """The connection id that the question names, or empty."""
    match = _NUMBER.search(question)
    return match.group() if match is not None else ""
