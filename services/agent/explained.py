"""Which findings of one instance another one of the same instance explains."""

from __future__ import annotations

from collections.abc import Iterable

from storex.diagnostics.v1 import finding_pb2


def explained_by(findings: Iterable[finding_pb2.Finding]) -> dict[str, finding_pb2.Finding]:
    """The id of each finding that is only a consequence, with the first finding that explains it."""
    by_id: dict[str, finding_pb2.Finding] = {}
    for finding in findings:
        for identifier in finding.explains:
            by_id.setdefault(identifier, finding)
    return by_id
