"""Instances that a question names beside the one that it is asked of: which they are, and what was found there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from libs.core.names import WILDCARD
from services.agent.inquiry import Inquiry, ToolRequest
from services.agent.records import DENIED, ERROR, Records
from storex.diagnostics.v1 import finding_pb2

MOST = 3
_LISTING = "list_instances"
_CALLED = re.compile(
    r"(?<![\w./-])[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d+(?:-[a-z0-9]+)*(?![\w-])|regions/[\w-]+/instances/[\w-]+"
)
"""What instances are mostly called: words and a number, or the full name."""
_SURELY = re.compile(
    r"\b(?:instances?|servers?|databases?|dbs?|replicas?|primary|source|hosts?|nodes?)(?: called| named)? [`'\"]?$",
    re.IGNORECASE,
)
_PERHAPS = re.compile(
    r"\b(?:on|of|and|or|with|than|is|are|was|were|does|did|has|about|from|to|like|vs\.?|for|at|in) [`'\"]?$",
    re.IGNORECASE,
)
"""What stands before a name where it means an instance, unless the name is called like something else."""
_ORDINARY = re.compile(
    r"(?:top|release|rel|version|build|utf|latin|iso|errno|error|err|code|sqlstate|sprint|ticket|issue|inc|incident|pr|"
    r"sev|prio|day|week|month|last|step|phase|query|statement|connection|session|thread|pid|http|sha|md|p)-\d",
    re.IGNORECASE,
)


def named_beside(inquiry: Inquiry) -> tuple[str, ...]:
    """The instances that the question names beside the target, as they are written there.

    A word with a number is one where it says so or the session knows it: `release-42` and `utf-8` are none.
    """
    known = {record.name.rpartition("/")[2] for record in inquiry.records if record.message is not None}
    return tuple(word for word, meant in _words(inquiry) if meant or word in known)[:MOST]


def may_be_named(inquiry: Inquiry) -> tuple[str, ...]:
    """Words that are called like instances, the surest ones first: whether there are such, the listing tells."""
    sure = named_beside(inquiry)
    return tuple(dict.fromkeys((*sure, *(word for word, _ in _words(inquiry)))))[:MOST]


def _words(inquiry: Inquiry) -> list[tuple[str, bool]]:
    """Words that instances may be called, with whether one is meant."""
    if not inquiry.target.is_instance:
        return []
    own = str(inquiry.target.name)
    words: dict[str, bool] = {}
    for match in _CALLED.finditer(inquiry.question):
        word, before = match.group(), inquiry.question[: match.start()]
        meant = "/" in word or _SURELY.search(before) is not None
        perhaps = _PERHAPS.search(before) is not None and _ORDINARY.match(word) is None
        if word not in (own, own.rpartition("/")[2], inquiry.target.name.region):
            words[word] = words.get(word, False) or meant or perhaps
    return list(words.items())


def look_up(names: Iterable[str]) -> tuple[ToolRequest, ...]:
    """The call that tells which instances are called so."""
    return (ToolRequest(_LISTING, {"name": f"regions/{WILDCARD}"}),) if names else ()


def readings(names: Iterable[str], records: Records) -> tuple[ToolRequest, ...]:
    """Overview and health of those that the asker may see."""
    found = [full for name in names for full in _full(name, records)]
    return tuple(ToolRequest(tool, {"name": full}) for full in found for tool in ("get_overview", "get_health"))


def told(inquiry: Inquiry, records: Records) -> str:
    """A sentence for each: what was found there, or of one that the question means that there is none."""
    meant = named_beside(inquiry)
    names = [name for name in may_be_named(inquiry) if name in meant or _full(name, records)]
    return " ".join(_told(name, records, inquiry.target.text) for name in names)


def _full(name: str, records: Records) -> list[str]:
    listed = dict.fromkeys(record.name for record in records if record.tool == _LISTING and record.message is not None)
    return [full for full in listed if full == name or full.rpartition("/")[2] == name][:MOST]


def _told(name: str, records: Records, target: str) -> str:
    full = _full(name, records)
    if not full and any(record.tool == _LISTING and record.status in (ERROR, DENIED) for record in records):
        return f"Whether there is an instance {name} could not be looked up everywhere; this is about {target}."
    if not full:
        return f"There is no instance {name} that you may see; this is about {target}."
    said = []
    for one in full:
        record = records.health().get(one)
        findings = record.health.findings if record is not None and record.health is not None else None
        if findings is None or (record is not None and record.unreached is not None):
            said.append(f"{one} could not be read.")
            continue
        hurting = dict.fromkeys(found.kind for found in findings if found.severity > finding_pb2.SEVERITY_INFO)
        said.append(f"On {one}: {', '.join(hurting) or 'nothing is found'}.")
    return " ".join(said)
