"""What a report says that the one before it in its session did not: all that a follow-up has to tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from storex.agent.v1.report_pb2 import Report, RootCause

_Key = Callable[[Any], Hashable]
_FIGURE = re.compile(r"\d[\d,.]*")
_TIMER = re.compile(r"\b\d[\d,.]*(?= (?:ms|s|min|h)\b)")
"""What has grown by the time that has passed between two questions: that is nothing new."""


def _cause(cause: RootCause) -> Hashable:
    parts = tuple(sorted((one.role, one.type, one.value) for one in cause.entities))
    return (cause.kind, cause.name, _TIMER.sub("", cause.summary), f"{cause.confidence:.0%}", parts)


_PARTS: dict[str, tuple[str, _Key]] = {
    "root_causes": ("root cause", _cause),
    "causal_chain": ("how it unfolds", lambda link: _TIMER.sub("", link.text)),
    "facts": ("seen", lambda fact: fact.text),
    "ruled_out": ("ruled out", lambda item: (item.kind, _FIGURE.sub("", item.reason))),
    "next_steps": ("next steps", lambda step: (step.text, step.command, step.risk)),
    "limits": ("could not be read", lambda limit: (limit.name, limit.code, limit.message)),
}
"""The lists of a report with what people call them, and what makes two entries the same; evidence is not counted."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A report without what was said before; `cited` are the numbers of the evidence of what is left."""

    report: Report
    cited: frozenset[int]
    as_before: tuple[str, ...]
    """What is left out, part by part, such as `next steps (3)`."""
    gone: tuple[str, ...]
    """The kinds of root causes that are no longer named."""


def follow_up(report: Report, before: Report) -> FollowUp:
    """What is new in a report; `before` is the last one of its session."""
    left = Report()
    left.CopyFrom(report)
    as_before = []
    for field, (title, key) in _PARTS.items():
        known = {key(entry) for entry in getattr(before, field)}
        entries = list(getattr(report, field))
        fresh = [entry for entry in entries if key(entry) not in known]
        left.ClearField(field)  # type: ignore[arg-type]
        getattr(left, field).extend(fresh)
        if len(fresh) < len(entries):
            as_before.append(f"{title} ({len(entries) - len(fresh)})")
    kinds = {cause.kind for cause in report.root_causes}
    gone = tuple(dict.fromkeys(cause.kind for cause in before.root_causes if cause.kind not in kinds))
    return FollowUp(left, _cited(left), tuple(as_before), gone)


def _cited(report: Report) -> frozenset[int]:
    citing: Sequence[Any] = (*report.root_causes, *report.causal_chain, *report.facts)
    return frozenset(number for entry in citing for number in entry.evidence_refs)
