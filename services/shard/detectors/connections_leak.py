"""`connections.leak`: a client opens connections, uses each once or never, and does not give them back.

A healthy pool looks alike at one moment; it differs over time. Its connections are used again, and their number stops
growing. So connections count here that have stood idle since they were first seen, where they keep growing in number
or take up most of the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from libs.core.catalogue import HOLDER
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.sampler.history import Owner, TrackedConnection
from services.shard.view import timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "connections.leak"
TOOL = "get_connections"

FEWEST = 10
"""Fewer connections that are not given back are not worth a word."""
SHARE_UNUSED = 0.7
"""Share of an owner's connections that stand unused."""
GROWTH_STEPS = 3
"""Samples in which an owner's connections grew: a pool that is filled at start grows in one or two."""
CLOSE_TO_LIMIT = 0.7
"""Share of the limit from which idle connections hurt even when they no longer grow."""
CRITICAL_RATIO = 0.9
STILL_GROWING = 60.0
"""A pool that was filled this long ago and rests since then is none of our business, in seconds."""
JUST_NOW = 3.0
"""Growth that is older tells no more than it has told already, in seconds."""
RESTED = 3.0
"""Connections are judged that were seen, or idle, for so long, in seconds: a new one has had no time to be used."""
LOOK_AGAIN = 1.0
"""When another look shows whether growth goes on, in seconds."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """How one owner's connections behaved over the sampled window."""

    unused: int
    """Idle since first seen."""
    steps: int
    """Samples with more than the one before."""
    fell: int
    """Samples with fewer than the one before."""
    settled: bool
    """Whether enough connections are old enough to be judged, and most of these were never used again."""
    grew_at: float
    """When they last grew: seconds from now, below zero."""


def detect(readings: Readings) -> Detection:
    """A finding for each owner that leaks."""
    answer = readings.connections
    if answer is None:
        return Detection(not_checked=True, reason="The connections could not be read.")
    if any(limit.source == "process" for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Other accounts' connections cannot be seen by Storex's account.")
    if not readings.history.connections:
        return Detection(not_checked=True, reason="Nothing has been sampled yet.", look_again=LOOK_AGAIN)
    patterns = [_pattern(group, readings) for group in answer.groups]
    findings = tuple(
        _finding(answer, place, pattern, readings)
        for place, pattern in enumerate(patterns)
        if _leaks(answer, answer.groups[place], pattern)
    )
    if findings:
        return Detection(findings)
    undecided = any(_may_leak(group, pattern) for group, pattern in zip(answer.groups, patterns, strict=True))
    return Detection(reason=_clear(answer), look_again=LOOK_AGAIN if undecided else 0.0)


def _owner(group: diagnostics_pb2.ConnectionGroup) -> Owner:
    return (group.user, group.host, group.program)


def _pattern(group: diagnostics_pb2.ConnectionGroup, readings: Readings) -> _Pattern:
    owner, history = _owner(group), readings.history
    tracked = [connection for connection in history.tracked.values() if connection.owner == owner]
    unused = sum(connection.idle_since is not None and not connection.reused for connection in tracked)
    unused += max(0, group.total - len(tracked))  # opened since the last sample
    counts = [(sample.at, sample.counts.get(owner, 0)) for sample in history.connections]
    pairs = list(pairwise([*counts, (readings.at, group.total)]))
    return _Pattern(
        unused=min(unused, group.idle),
        steps=sum(later > earlier for (_, earlier), (_, later) in pairs),
        settled=_is_settled(tracked, history.connections[-1].at),
        fell=sum(later < earlier for (_, earlier), (_, later) in pairs),
        grew_at=max((at for (_, earlier), (at, later) in pairs if later > earlier), default=0.0) - readings.at,
    )


def _is_settled(tracked: list[TrackedConnection], at: float) -> bool:
    old = [one for one in tracked if at - min(one.first_seen, one.idle_since or one.first_seen) >= RESTED]
    unused = sum(one.idle_since is not None and not one.reused for one in old)
    return len(old) >= FEWEST and unused >= SHARE_UNUSED * len(old)


def _may_leak(group: diagnostics_pb2.ConnectionGroup, pattern: _Pattern) -> bool:
    """Whether connections have just been opened in numbers: a pool that is filled, or the beginning of a leak."""
    return _stands_unused(group, pattern) and group.growth >= FEWEST and pattern.grew_at > -JUST_NOW


def _stands_unused(group: diagnostics_pb2.ConnectionGroup, pattern: _Pattern) -> bool:
    return pattern.unused >= FEWEST and pattern.unused >= SHARE_UNUSED * group.total


def _leaks(
    answer: diagnostics_pb2.GetConnectionsResponse, group: diagnostics_pb2.ConnectionGroup, pattern: _Pattern
) -> bool:
    if not _stands_unused(group, pattern) or not pattern.settled:
        return False
    grew = pattern.steps >= GROWTH_STEPS and group.growth >= FEWEST and pattern.fell * 4 <= pattern.steps
    return (grew and pattern.grew_at > -STILL_GROWING) or _is_close(answer, pattern)


def _is_close(answer: diagnostics_pb2.GetConnectionsResponse, pattern: _Pattern) -> bool:
    return answer.used_ratio >= CLOSE_TO_LIMIT and pattern.unused >= 0.5 * answer.current


def _clear(answer: diagnostics_pb2.GetConnectionsResponse) -> str:
    used = f"{answer.current} of {answer.max_connections} connections are in use"
    if not answer.groups:
        return f"{used}."
    largest = answer.groups[0]
    return f"{used}; the largest owner has {largest.total}, {largest.idle} of them idle, and grew by {largest.growth}."


def _finding(
    answer: diagnostics_pb2.GetConnectionsResponse, place: int, pattern: _Pattern, readings: Readings
) -> finding_pb2.Finding:
    group = answer.groups[place]
    critical = answer.used_ratio >= CRITICAL_RATIO or answer.refused > 0
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL if critical else finding_pb2.SEVERITY_WARNING,
        confidence=_confidence(answer, pattern),
        onset=timestamp(readings.now - group.longest_idle_seconds),
        summary=(
            f"One owner holds {group.total} of {answer.max_connections} possible connections; {pattern.unused} of them"
            f" have stood idle since they were first seen, and {answer.used_ratio:.0%} of the limit is in use."
        ),
        entities=[
            entity(HOLDER, kind, value)
            for kind, value in (("user", group.user), ("host", group.host), ("program", group.program))
            if value
        ],
        evidence=_evidence(answer, place),
        impact=float(answer.refused) + answer.used_ratio,
    )


def _confidence(answer: diagnostics_pb2.GetConnectionsResponse, pattern: _Pattern) -> float:
    grows = pattern.steps >= GROWTH_STEPS
    if grows and _is_close(answer, pattern):
        return 0.97
    return 0.85 if grows else 0.8


def _evidence(answer: diagnostics_pb2.GetConnectionsResponse, place: int) -> list[entity_pb2.Evidence]:
    at = f"groups[{place}]"
    paths = [
        (f"{at}.user", "The account that owns them."),
        (f"{at}.total", "Connections of this owner."),
        (f"{at}.idle", "So many of them are idle."),
        (f"{at}.growth", "So many more than when the window began."),
        (f"{at}.median_idle_seconds", "Half of the idle ones have been idle for longer than this, in seconds."),
        ("used_ratio", "Connections in use, over the limit."),
        ("max_connections", "The limit."),
    ]
    if answer.groups[place].program:
        paths.append((f"{at}.program", "The program that opened them."))
    return [cite(TOOL, answer, path, statement) for path, statement in paths]
