"""Many instances by how badly off they are: the front door streams them as they come, people read from the top."""

from __future__ import annotations

from collections.abc import Iterable

from storex.diagnostics.v1.diagnostics_pb2 import InstanceHealth
from storex.diagnostics.v1.finding_pb2 import CHECK_RESULT_NOT_CHECKED, SEVERITY_CRITICAL, Finding


def root_findings(health: InstanceHealth) -> list[Finding]:
    """The findings that no other one explains, worst first."""
    explained = {effect for finding in health.findings for effect in finding.explains}
    return [finding for finding in health.findings if finding.id not in explained]


def is_unknown(health: InstanceHealth) -> bool:
    """Whether nothing could be checked: the server does not answer, or shows nothing."""
    return bool(health.checks) and all(check.result == CHECK_RESULT_NOT_CHECKED for check in health.checks)


def worst_first(healths: Iterable[InstanceHealth]) -> list[InstanceHealth]:
    """By severity, then by impact; one of which nothing is known comes right after those that are critical."""
    return sorted(healths, key=_badness)


def _badness(health: InstanceHealth) -> tuple[float, float, str]:
    roots = root_findings(health)
    severity = max((float(finding.severity) for finding in roots), default=0.0)
    if is_unknown(health):
        severity = SEVERITY_CRITICAL - 0.5
    return (-severity, -sum(finding.impact for finding in roots), health.observation.name)
