"""What to read of a replica's source, where the replica lags or its replication has an error."""

from __future__ import annotations

from libs.core.names import WILDCARD, parse_name
from services.agent.inquiry import ToolRequest
from services.agent.records import Records
from services.agent.report.upstream import ERROR, LAG
from services.agent.topology import followed
from storex.diagnostics.v1 import finding_pb2

MOST_SOURCES = 4
"""Sources that are read for one question, so that a fleet of replicas does not have it read the whole fleet."""
_WINDOW_SECONDS = (60, 3600)
"""The shortest and the longest time over which a source's statements are asked for."""


def source_requests(records: Records) -> tuple[ToolRequest, ...]:
    """The next readings on the way from each such replica to its source; each only where the one before it is there."""
    wanted: list[ToolRequest] = []
    sources: dict[str, float] = {}
    for name in _troubled(records):
        wanted.append(ToolRequest("get_replication", {"name": name}))
        channels = [one for one in followed(records) if one.replica == name]
        if not channels:
            continue
        region = parse_name(name).region
        wanted.append(ToolRequest("list_instances", {"name": f"regions/{region}"}))
        if _listed(records, region) and any(not one.source for one in channels):
            wanted.append(ToolRequest("list_instances", {"name": f"regions/{WILDCARD}"}))
        lag = max((one.channel.lag_seconds for one in channels), default=0.0)
        sources |= {one.source: lag for one in channels if one.source and one.source not in sources}
    for source, lag in list(sources.items())[:MOST_SOURCES]:
        wanted += _of_source(source, lag)
    return tuple(wanted)


def _of_source(source: str, lag_seconds: float) -> list[ToolRequest]:
    least, most = _WINDOW_SECONDS
    window = int(min(most, max(least, 2 * lag_seconds)))
    return [
        ToolRequest("get_health", {"name": source}),
        ToolRequest("list_top_queries", {"name": source, "window_seconds": window}),
    ]


def _troubled(records: Records) -> list[str]:
    """Replicas with a finding of their own that their source may bring about."""
    return [
        name
        for name, record in records.health().items()
        if record.health is not None
        and any(f.kind in (LAG, ERROR) and f.severity > finding_pb2.SEVERITY_INFO for f in record.health.findings)
    ]


def _listed(records: Records, region: str) -> bool:
    return any(
        record.tool == "list_instances" and record.arguments.find(f'"regions/{region}"') >= 0 for record in records
    )
