"""One cause on several instances is told once: the same client program, account, statement or variable behind each."""

from __future__ import annotations

from storex.agent.v1 import report_pb2

_SHARED = ("program", "statement_digest", "variable", "user")
"""Entity types by which causes of one kind are known to be the same; the first that both name decides."""
_BEHIND = ("holder", "cause")


def merge_across_instances(report: report_pb2.Report) -> None:
    """Fold causes of the same kind and origin on several instances into the first of them, in place."""
    kept: list[report_pb2.RootCause] = []
    for cause in report.root_causes:
        first = next((other for other in kept if _same(other, cause)), None)
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


def _same(one: report_pb2.RootCause, other: report_pb2.RootCause) -> bool:
    if one.kind != other.kind or other.name in (one.name, *one.also_on):
        return False
    for type_ in _SHARED:
        mine, theirs = _values(one, type_), _values(other, type_)
        if mine and theirs:
            return bool(mine & theirs)
    return False


def _values(cause: report_pb2.RootCause, type_: str) -> set[str]:
    return {e.value for e in cause.entities if e.type == type_ and e.role in _BEHIND and e.value}
