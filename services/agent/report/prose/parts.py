"""Who is said to hold and who to wait, against who does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from services.agent.records import Record
from services.agent.report.prose.known import newest
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

_HOLDS = (
    r"holds?|held|holding|blocks?|blocking|keeps?|keeping|kept|locks?|locking|hogs?|stops?|stalls?|causes?|"
    r"caused|is to blame|is the (?:blocker|holder|culprit|root)|left (?:its|a) transaction|is responsible"
)
_WAITS = (
    r"waits?|waiting|waited|(?:is|are|was|were|gets?|got|being) (?:\w+ )?(?:blocked|stuck|held up|stalled|locked out)|"
    r"suffers?|(?:is|are) (?:a |the |one of the )?(?:victims?|waiters?)|hangs?|queues?"
)
_VERB = re.compile(rf"\b(?:(?P<waits>{_WAITS})|(?P<holds>{_HOLDS}))\b", re.IGNORECASE)
_BEHIND = re.compile(
    r"\b(?:blocked|held(?: up)?|locked(?: out)?|stuck|stalled|stopped|caused)(?: \w+){0,2} (?:by|behind|because of)"
    r"(?: \w+){0,3}? ?$|\b(?:wait(?:s|ing|ed)?|queues?|queu(?:ed|ing)) (?:\w+ )?(?:for|on|behind)(?: \w+){0,3}? ?$|"
    r"\b(?:blocker|holder|culprit)(?: is|:)?(?: \w+){0,3}? ?$",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\b(?:blocks?|blocking|holds? up|holding up|stalls?|stalling|stops?)(?: \w+){0,3}? ?$|"
    r"\b(?:victims?|waiters?)(?: is| are|:)?(?: \w+){0,3}? ?$",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;:!?]|, (?:and|but|while|so|which|who)\b|\b(?:while|whereas|because|since)\b", re.IGNORECASE)
_NOT = re.compile(r"\b(?:not|never|no longer|neither|nor|isn't|doesn't|without)\b", re.IGNORECASE)


@dataclass(slots=True)
class Parts:
    """Ids and names of those that hold locks and of those that wait for one; somebody may do both."""

    holders: set[str] = field(default_factory=set)
    waiters: set[str] = field(default_factory=set)

    @property
    def everybody(self) -> set[str]:
        """Whoever plays a part."""
        return self.holders | self.waiters


def parts_in(records: Iterable[Record]) -> Parts:
    """Who holds and who waits in the newest readings of locks."""
    parts = Parts()
    for record in newest(records):
        if isinstance(record.message, diagnostics_pb2.GetLockWaitsResponse):
            for holder in record.message.holders:
                parts.holders |= set(_called(holder.session))
            for waiter in record.message.waiters:
                parts.waiters |= set(_called(waiter.session))
                parts.holders.add(str(waiter.blocking_connection_id))
    return parts


def swapped(sentence: str, parts: Parts) -> Iterator[str]:
    """Those to whom the sentence gives a part that they do not play."""
    for name in sorted(parts.everybody):
        for match in re.finditer(rf"(?<![\w.-]){re.escape(name)}(?![\w-]|\.\w)", sentence):
            said = _part_of(sentence, match.start(), match.end())
            if (said == "holds" and name not in parts.holders) or (said == "waits" and name not in parts.waiters):
                yield name


def _part_of(sentence: str, start: int, end: int) -> str:
    """`holds`, `waits`, or empty where the sentence does not say, or denies it."""
    before, after = _clause_before(sentence[:start]), _CLAUSE.split(sentence[end:], maxsplit=1)[0]
    if _NOT.search(before) or _NOT.search(after):
        return ""
    if _BEHIND.search(before):
        return "holds"
    if _BEFORE.search(before):
        return "waits"
    verb = _VERB.search(after)
    if verb is None:
        return ""
    return "waits" if verb.group("waits") else "holds"


def _clause_before(text: str) -> str:
    return _CLAUSE.split(text)[-1].rstrip("`'\"( ")


def _called(session: session_pb2.Session) -> Iterator[str]:
    names = (str(session.connection_id), session.user, session.host, session.program)
    yield from (name for name in names if name not in ("", "0"))
