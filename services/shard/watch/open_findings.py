"""Findings as things that open and close: one keeps its onset from look to look, and what matters of it is told."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.catalogue import HOLDER, VICTIM
from services.shard.view import timestamp
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

REOPENS_WITHIN = 30.0
"""A finding that was gone for so long, in seconds, begins anew."""

Part = tuple[str, str, str]
"""Role, type and value of an entity."""


@dataclass(slots=True)
class _Open:
    kind: str
    parts: frozenset[Part]
    onset: Timestamp | None
    seen: float


class OpenFindings:
    """The findings of one instance over time; times in seconds since the epoch."""

    def __init__(self) -> None:
        self._open: list[_Open] = []
        self._looked = False

    def settle(self, findings: Sequence[finding_pb2.Finding], now: float) -> None:
        """Give each finding the onset that it was first told with.

        One whose onset nothing tells began when it was first seen, unless it was there at the first look.
        """
        still = [known for known in self._open if 0.0 <= now - known.seen < REOPENS_WITHIN]
        for finding in findings:
            parts = identity(finding)
            known = next((one for one in still if one.kind == finding.kind and _are_same(one.parts, parts)), None)
            if known is None:
                known = _Open(finding.kind, parts, self._first_onset(finding, now), now)
                still.append(known)
            elif known.onset is None and finding.HasField("onset"):
                known.onset = finding.onset
            known.parts, known.seen = parts, now
            if known.onset is not None:
                finding.onset.CopyFrom(known.onset)
        self._open, self._looked = still, True

    def _first_onset(self, finding: finding_pb2.Finding, now: float) -> Timestamp | None:
        if finding.HasField("onset"):
            onset = Timestamp()
            onset.CopyFrom(finding.onset)
            return onset
        return timestamp(now) if self._looked else None


def identity(finding: finding_pb2.Finding) -> frozenset[Part]:
    """What makes a finding the same as an earlier one: the connection that holds, else all but its victims."""
    parts = frozenset((part.role, part.type, part.value) for part in finding.entities)
    holders = frozenset(part for part in parts if part[:2] == (HOLDER, "connection_id"))
    return holders or frozenset(part for part in parts if part[0] != VICTIM)


def _are_same(one: frozenset[Part], other: frozenset[Part]) -> bool:
    return bool(one & other) or one == other


def what_matters(health: diagnostics_pb2.InstanceHealth) -> Hashable:
    """What of a health is worth telling when it differs: findings, how bad and because of what; what is unchecked."""
    kinds = {finding.id: finding.kind for finding in health.findings}
    return (
        frozenset(
            (finding.kind, _holder(finding), finding.severity, frozenset(kinds[effect] for effect in finding.explains))
            for finding in health.findings
        ),
        frozenset(check.kind for check in health.checks if check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED),
        frozenset((limit.source, limit.code) for limit in health.observation.limits),
    )


def _holder(finding: finding_pb2.Finding) -> frozenset[Part]:
    """Who is to blame; statements and tables may take turns in one finding."""
    return frozenset(part for part in identity(finding) if part[0] == HOLDER)
