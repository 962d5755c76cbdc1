"""One cause on several instances is told once: the same client program, account, statement or variable behind each."""

from __future__ import annotations

from collections.abc import Mapping

from storex.agent.v1 import report_pb2

_SHARED = ("program", "statement_digest", "variable", "user")
"""Entity types by which causes of one kind are known to be the same; the first that both name decides."""
_BEHIND = ("holder", "cause")
_OF_A_SOURCE = {"replication.lag": "table", "replication.error": "error_code"}
"""What replicas of one source name alike where the same of that source troubles them, by kind."""


def merge_across_instances(report: report_pb2.Report, sources: Mapping[str, str] | None = None) -> None:
    """Fold causes of the same kind and origin on several instances into the first of them, in place.

    `sources` are the sources of replicas, by name, as far as they are known.
    """
    kept: list[report_pb2.RootCause] = []
    for cause in report.root_causes:
        first = next((other for other in kept if _same(other, cause, sources or {})), None)
        if first is None:
            copy = report_pb2.RootCause()
            copy.CopyFrom(cause)
            kept.append(copy)
            continue
        first.also_on.append(cause.name)
        first.confidence = min(first.confidence, cause.confidence)
        first.evidence_refs[:] = sorted({*first.evidence_refs, *cause.evidence_refs})
    for cause in kept:
        if cause.also_on:
            cause.summary = f"{cause.summary} The same is behind {cause.kind} on {', '.join(cause.also_on)}."
    del report.root_causes[:]
    report.root_causes.extend(kept)


def _same(one: report_pb2.RootCause, other: report_pb2.RootCause, sources: Mapping[str, str]) -> bool:
    if one.kind != other.kind or other.name in (one.name, *one.also_on):
        return False
    if one.kind in _OF_A_SOURCE:
        mine, theirs = ({e.value for e in c.entities if e.type == _OF_A_SOURCE[c.kind]} for c in (one, other))
        return bool(sources.get(one.name)) and sources[one.name] == sources.get(other.name) and bool(mine & theirs)
    for type_ in _SHARED:
        mine, theirs = _values(one, type_), _values(other, type_)
        if mine and theirs:
            return bool(mine & theirs)
    return False


def _values(cause: report_pb2.RootCause, type_: str) -> set[str]:
    return {e.value for e in cause.entities if e.type == type_ and e.role in _BEHIND and e.value}
