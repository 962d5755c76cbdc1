"""What to read for a topic that needs no diagnosis, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from libs.core.names import WILDCARD
from services.agent.inquiry import Inquiry, ToolRequest
from services.agent.report.draft import Topic

MOST_INSTANCES = 5
"""Instances of a region or a service of which the past is read one by one."""
_LONGEST_NORMAL = 6 * 3600
_DAY_MINUTES = 1440


def moment_of(inquiry: Inquiry) -> str:
    """The end of the time asked about as tools take it; empty for now."""
    return f"{datetime.fromtimestamp(inquiry.at, UTC):%Y-%m-%dT%H:%M:%SZ}" if inquiry.at is not None else ""


def minutes_of(inquiry: Inquiry) -> int:
    """The time asked about, in whole minutes."""
    return max(1, round(inquiry.window_seconds / 60))


def requests_for(
    topics: Iterable[Topic], inquiry: Inquiry, *, fleet: bool, names: Iterable[str]
) -> tuple[ToolRequest, ...]:
    """The calls whose answers the topics' facts are stated from; `names` are the instances, as far as known."""
    known = list(names)[:MOST_INSTANCES]
    wanted: dict[str, ToolRequest] = {}
    for topic in topics:
        each = _EACH.get(topic)
        found = [_WHOLE[topic](inquiry, fleet)] if each is None else [each(inquiry, name) for name in known]
        wanted |= {request.key: request for request in found}
    return tuple(wanted.values())


def names_request(inquiry: Inquiry) -> ToolRequest:
    """The call that tells which instances a region or a service has."""
    return _instances(inquiry, False)


def _region(inquiry: Inquiry, fleet: bool) -> str:
    return f"regions/{WILDCARD}" if fleet or inquiry.target.is_instance else f"regions/{inquiry.target.name.region}"


def _instances(inquiry: Inquiry, fleet: bool) -> ToolRequest:
    labels = {} if fleet else dict(inquiry.target.labels)
    return ToolRequest("list_instances", {"name": _region(inquiry, fleet), **labels})


def _owners(inquiry: Inquiry, fleet: bool) -> ToolRequest:
    if inquiry.target.is_instance:
        return ToolRequest("get_instance", {"name": str(inquiry.target.name)})
    return _instances(inquiry, fleet)


def _health(inquiry: Inquiry, fleet: bool) -> ToolRequest:
    labels = {} if fleet or inquiry.target.is_instance else dict(inquiry.target.labels)
    return ToolRequest("stream_health", {"name": f"{_region(inquiry, fleet)}/instances/{WILDCARD}", **labels})


def _sessions(inquiry: Inquiry, _: bool) -> ToolRequest:
    return ToolRequest("list_past_sessions", {"name": inquiry.target.text, "except_session": inquiry.session_id})


def _changes(inquiry: Inquiry, name: str) -> ToolRequest:
    # What made a night bad was often done in the evening: changes are looked for further back than the rest.
    minutes = minutes_of(inquiry) + 120 if inquiry.at is not None else max(minutes_of(inquiry), _DAY_MINUTES)
    return ToolRequest("list_changes", {"name": name, "minutes": minutes, "until": moment_of(inquiry)})


def _metrics(inquiry: Inquiry, name: str) -> ToolRequest:
    window = min(int(inquiry.window_seconds), _LONGEST_NORMAL) if inquiry.at is not None else 60
    return ToolRequest("get_normal", {"name": name, "at": moment_of(inquiry), "window_seconds": window})


def _statements(inquiry: Inquiry, name: str) -> ToolRequest:
    arguments = {"name": name, "window_seconds": int(inquiry.window_seconds), "until": moment_of(inquiry)}
    return ToolRequest("list_top_queries", arguments)


_WHOLE: dict[Topic, Callable[[Inquiry, bool], ToolRequest]] = {
    Topic.OWNERS: _owners,
    Topic.VERSIONS: _instances,
    Topic.AVAILABILITY: _instances,
    Topic.WORST: _health,
    Topic.SESSIONS: _sessions,
}
_EACH: dict[Topic, Callable[[Inquiry, str], ToolRequest]] = {
    Topic.CHANGES: _changes,
    Topic.METRICS: _metrics,
    Topic.STATEMENTS: _statements,
}


def needs_names(topics: Iterable[Topic]) -> bool:
    """Whether the topics are read instance by instance."""
    return any(topic in _EACH for topic in topics)
