"""From the shards' findings to claimed causes, across instances."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from libs.core.catalogue import CATALOGUE
from services.agent.explained import explained_by
from services.agent.inquiry import ToolRequest
from services.agent.records import Record, Records
from services.agent.report.draft import DraftCause, EntityClaim
from services.agent.report.upstream import explained_elsewhere, key_of
from storex.diagnostics.v1 import finding_pb2

_ENGINE = "get_overview"  # next steps depend on the engine
MAX_CAUSES = 8
"""Root causes that one report names, by impact."""


def root_causes(records: Records, within: Collection[str] | None = None) -> list[DraftCause]:
    """What hurts and is not explained by another finding of its instance or of its source, the worst first.

    `within` names the instances that the question is about: of others, which were read only for being their sources,
    a finding counts where it explains one of theirs.
    """
    elsewhere = explained_elsewhere(records)
    ranked: list[tuple[tuple[float, ...], DraftCause]] = []
    for record in records.health().values():
        for position, finding in enumerate(_unexplained(record)):
            key = key_of(record.name, finding)
            beside = within is not None and record.name not in within and key not in elsewhere.values()
            if key not in elsewhere and not beside:
                ranked.append((_rank(finding, position), _cause(record.name, finding)))
    return [cause for _, cause in sorted(ranked, key=lambda entry: entry[0])][:MAX_CAUSES]


def confirming_requests(causes: Sequence[DraftCause], records: Records, *, refresh: bool) -> tuple[ToolRequest, ...]:
    """The calls whose answers can confirm the causes: those that the catalogue cites, and the overview."""
    wanted: dict[tuple[str, str], None] = {}
    for cause in causes:
        wanted.setdefault((_ENGINE, cause.name))
        entry = CATALOGUE.get(cause.kind)
        for required in entry.evidence if entry is not None else ():
            wanted.setdefault((required.tool, cause.name))
    return tuple(
        ToolRequest(tool, {"name": name}, refresh=refresh)
        for tool, name in wanted
        if (refresh and tool != _ENGINE) or records.latest(tool, name) is None
    )


def _unexplained(record: Record) -> list[finding_pb2.Finding]:
    findings = list(record.health.findings) if record.health is not None else []
    explained = explained_by(findings)
    return [
        finding for finding in findings if finding.id not in explained and finding.severity > finding_pb2.SEVERITY_INFO
    ]


def _rank(finding: finding_pb2.Finding, position: int) -> tuple[float, ...]:
    entry = CATALOGUE.get(finding.kind)
    return (-finding.severity, -finding.impact, -(entry.precedence if entry else 0), position)


def _cause(name: str, finding: finding_pb2.Finding) -> DraftCause:
    return DraftCause(
        kind=finding.kind,
        name=name,
        confidence=finding.confidence,
        entities=tuple(EntityClaim(entity.role, entity.type, entity.value) for entity in finding.entities),
    )
