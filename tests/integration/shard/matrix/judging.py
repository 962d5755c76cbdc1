"""Whether an answer about an instance's health is right: its root causes against the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from libs.core.catalogue import CATALOGUE
from libs.lab.truth import Entity, Truth
from storex.diagnostics.v1 import diagnostics_pb2

_SINGLE = ("holder", "cause")
"""Roles of which a finding may name nobody but those who play them."""


@dataclass(frozen=True, slots=True)
class Root:
    """A finding that no other one explains."""

    kind: str
    entities: frozenset[Entity]
    summary: str


def roots_of(health: diagnostics_pb2.InstanceHealth) -> list[Root]:
    """The root causes of an answer, the worst first."""
    explained = {effect for finding in health.findings for effect in finding.explains}
    return [
        Root(finding.kind, frozenset((part.role, part.type, part.value) for part in finding.entities), finding.summary)
        for finding in health.findings
        if finding.id not in explained
    ]


def problems(roots: Iterable[Root], truth: Truth) -> list[str]:
    """What is wrong or missing, in sentences; empty for exactly the right causes with the right entities."""
    roots = list(roots)
    found = truth.unmet((root.kind, root.entities) for root in roots)
    there = Counter(fault.kind for fault in truth.faults)
    for kind, times in Counter(root.kind for root in roots).items():
        if kind in there and times > there[kind]:
            found.append(f"{kind} was reported {times} times.")
    once = [fault for fault in truth.faults if there[fault.kind] == 1]
    return found + [problem for fault in once for root in roots for problem in _wrongly_named(root, fault)]


def strays(roots: Iterable[Root], truth: Truth) -> list[str]:
    """Root causes that are not there, with what they say."""
    there = {fault.kind for fault in truth.faults}
    return [f"{root.kind}: {root.summary}" for root in roots if root.kind not in there]


def _wrongly_named(root: Root, fault: Truth) -> list[str]:
    """Somebody else in a part that is known: who holds, which statement it is."""
    if root.kind != fault.kind:
        return []
    known = {(role, kind) for role, kind, _ in fault.entities if role in _SINGLE}
    offered = {(entity.role, entity.type) for entity in CATALOGUE[root.kind].entities}
    wrong = [
        f"{role} {kind} {value} was named."
        for role, kind, value in sorted(root.entities)
        if (role, kind) in known and (role, kind, value) not in fault.entities
    ]
    missing = [
        f"{role} {kind} is {value}, which was not named."
        for role, kind, value in fault.entities
        if (role, kind) in offered and (role in _SINGLE or kind == "table") and (role, kind, value) not in root.entities
    ]
    return wrong + missing
