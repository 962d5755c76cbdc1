"""`connections.exhausted`: every connection that the server takes is in use, and more clients come.

Who has most of them is named. Why is often another finding: a leak, sessions that wait for a lock, statements that take
too long. What is left is a service that was given more connections than the server takes.
"""

from __future__ import annotations

from libs.core.catalogue import CAUSE, HOLDER
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import owner_parts
from services.shard.detectors.readings import Detection, Readings, entity
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "connections.exhausted"
TOOL = "get_connections"
LIMITING_VARIABLE = "max_connections"

NEARLY_FULL = 0.95
"""Share of the limit that is in use while clients are refused: one that was just refused may have left room."""


def detect(readings: Readings) -> Detection:
    """One finding at most, about the owner of most connections."""
    answer = readings.connections
    if answer is None:
        return Detection(not_checked=True, reason="The connections could not be read.")
    if any(limit.source == "process" for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Other accounts' connections cannot be seen by Storex's account.")
    used = f"{answer.current} of {answer.max_connections} connections are in use, {answer.refused} were refused"
    if not answer.groups or not answer.max_connections or not _is_exhausted(answer):
        return Detection(reason=f"{used}.")
    return Detection((_finding(answer, used),))


def _is_exhausted(answer: diagnostics_pb2.GetConnectionsResponse) -> bool:
    return answer.current >= answer.max_connections or (answer.refused > 0 and answer.used_ratio >= NEARLY_FULL)


def _finding(answer: diagnostics_pb2.GetConnectionsResponse, used: str) -> finding_pb2.Finding:
    group = answer.groups[0]
    paths = [
        ("used_ratio", "Connections in use, over the limit."),
        ("max_connections", "The limit."),
        ("current", "Connections now."),
        ("groups[0].user", "The account that has most of them."),
        ("groups[0].total", "So many it has."),
        ("groups[0].running", "So many of these are at work now."),
    ]
    if answer.refused:
        paths.append(("refused", "Attempts that were refused in the sampled window."))
    if group.program:
        paths.append(("groups[0].program", "The program that opened them."))
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.9,
        summary=f"{used}; one owner has {group.total} of them, of which {group.running} are at work.",
        entities=[
            *owner_parts(HOLDER, group.user, group.host, group.program),
            entity(CAUSE, "variable", LIMITING_VARIABLE),
        ],
        evidence=[cite(TOOL, answer, path, statement) for path, statement in paths],
        impact=float(answer.current),
    )
