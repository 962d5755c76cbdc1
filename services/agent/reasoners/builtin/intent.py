"""What a follow-up asks for, by its words."""

from __future__ import annotations

import re

from services.agent.report.draft import Aspect

_PATTERNS = (
    (Aspect.KILL, r"\b(kill|terminate|end (it|that|this|the (session|connection)))\b"),
    (Aspect.STEPS, r"\b(what (should|can|do) (i|we)|how (do|can|should) (i|we)|next steps?|mitigate|remediat\w*)\b"),
    (Aspect.DIAGNOSIS, r"\b(again|still|now|gone|better|recovered|resolved|last night|yesterday|ago)\b"),
    (Aspect.WHAT, r"\b(which|what) (table|tables|index|indexes|quer(y|ies)|statement|statements|sql|schema)\b"),
    (Aspect.WHO, r"\b(who|whose|(which|what) (client|user|host|program|app|application|connection|session|owner))\b"),
    (Aspect.WHEN, r"\b(since when|when did|how long)\b"),
)
_PAST = re.compile(r"\b(last (night|week|hour)|yesterday|(hours?|minutes?|days?) ago|\d{1,2}:\d{2})\b", re.IGNORECASE)
_NUMBER = re.compile(r"\b\d{1,9}\b", re.ASCII)


def aspect_of(question: str) -> Aspect:
    """The first aspect whose words occur; DIAGNOSIS, which means looking afresh, where none do."""
    for aspect, pattern in _PATTERNS:
        if re.search(pattern, question, re.IGNORECASE):
            return aspect
    return Aspect.DIAGNOSIS


def asks_about_the_past(question: str) -> bool:
    """Whether the question names a time that is over."""
    return _PAST.search(question) is not None


def connection_asked_about(question: str) -> str:
    """The connection id that the question names, or empty."""
    match = _NUMBER.search(question)
    return match.group() if match is not None else ""
