"""How tests wait for what the detectors say of a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

Met = Callable[[diagnostics_pb2.InstanceHealth], bool]


async def health_when(view: InstanceView, met: Met, seconds: float = 15.0) -> diagnostics_pb2.InstanceHealth:
    """The first health that is as wanted, or the last before the time is up."""
    until = time.monotonic() + seconds
    while True:
        health = await assess(view, {})
        if met(health) or time.monotonic() > until:
            return health
        await asyncio.sleep(0.3)


async def found(view: InstanceView, kind: str, seconds: float = 15.0) -> finding_pb2.Finding:
    """The finding of that kind, once it is there."""
    health = await health_when(view, lambda seen: kind in kinds(seen), seconds)
    assert kind in kinds(health), [check for check in health.checks if check.kind == kind]
    return next(finding for finding in health.findings if finding.kind == kind)


async def stays_clear(view: InstanceView, kind: str, seconds: int = 8) -> None:
    """Look until the check can be made, and each second from then on: it is clear, and never found."""
    looks = [await health_when(view, lambda seen: kind in kinds(seen) or not not_clear(seen, {kind}))]
    for _ in range(seconds):
        await asyncio.sleep(1)
        looks.append(await assess(view, {}))
    for health in looks:
        assert kind not in kinds(health), [finding.summary for finding in health.findings]
        assert not_clear(health, {kind}) == {}


def not_clear(health: diagnostics_pb2.InstanceHealth, wanted: Collection[str] = ()) -> dict[str, str]:
    """What the checks say, or those of these kinds, that are not clear: by kind, why."""
    return {
        check.kind: check.reason or finding_pb2.CheckResult.Name(check.result)
        for check in health.checks
        if check.result != finding_pb2.CHECK_RESULT_CLEAR and (not wanted or check.kind in wanted)
    }


def kinds(health: diagnostics_pb2.InstanceHealth) -> list[str]:
    """The kinds of its findings."""
    return [finding.kind for finding in health.findings]


def parts(finding: finding_pb2.Finding) -> Mapping[tuple[str, str], list[str]]:
    """The values of its entities by role and type."""
    values: dict[tuple[str, str], list[str]] = {}
    for part in finding.entities:
        values.setdefault((part.role, part.type), []).append(part.value)
    return values


def cited(finding: finding_pb2.Finding, path: str) -> str:
    """The value that it cites at the end of a path."""
    return next(evidence.value for evidence in finding.evidence if evidence.path.endswith(path))
