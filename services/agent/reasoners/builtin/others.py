"""Instances that a question names beside the one that it is asked of: which they are, and what was found there."""

from __future__ import annotations

import re
from collections.abc import Iterable

from libs.core.names import WILDCARD
from services.agent.inquiry import Inquiry, ToolRequest
from services.agent.records import Records
from storex.diagnostics.v1 import finding_pb2

MOST = 3
_LISTING = "list_instances"
_CALLED = re.compile(
    r"(?<![\w./-])[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d+(?:-[a-z0-9]+)*(?![\w-])|regions/[\w-]+/instances/[\w-]+"
)
"""What instances are mostly called: words and a number, or the full name."""


def named_beside(inquiry: Inquiry) -> tuple[str, ...]:
    """The names in the question that are not the target's own, as they are written there."""
    if not inquiry.target.is_instance:
        return ()
    own = str(inquiry.target.name)
    words = dict.fromkeys(_CALLED.findall(inquiry.question))
    return tuple(word for word in words if word not in (own, own.rpartition("/")[2], inquiry.target.name.region))[:MOST]


def look_up(names: Iterable[str]) -> tuple[ToolRequest, ...]:
    """The call that tells which instances are called so."""
    return (ToolRequest(_LISTING, {"name": f"regions/{WILDCARD}"}),) if names else ()


def readings(names: Iterable[str], records: Records) -> tuple[ToolRequest, ...]:
    """Overview and health of those that the asker may see."""
    found = [full for name in names for full in _full(name, records)]
    return tuple(ToolRequest(tool, {"name": full}) for full in found for tool in ("get_overview", "get_health"))


def told(names: Iterable[str], records: Records, target: str) -> str:
    """A sentence for each: what was found there, or that there is no such instance."""
    return " ".join(_told(name, records, target) for name in names)


def _full(name: str, records: Records) -> list[str]:
    listed = dict.fromkeys(record.name for record in records if record.tool == _LISTING and record.message is not None)
    return [full for full in listed if full == name or full.rpartition("/")[2] == name][:MOST]


def _told(name: str, records: Records, target: str) -> str:
    full = _full(name, records)
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
