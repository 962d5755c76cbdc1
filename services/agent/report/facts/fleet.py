"""Answers about many instances: versions, which are down, where it is worst, which have a kind of finding."""

from __future__ import annotations

from collections import defaultdict

from services.agent.records import Record
from services.agent.report.causes.wording import count
from services.agent.report.facts.fact import Fact, Seen, stated
from storex.diagnostics.v1 import finding_pb2
from storex.fleet.v1 import fleet_pb2

MOST = 10
_NAMED = 5


def versions(seen: Seen) -> list[Fact]:
    """How many instances run which engine and version, the rarest named."""
    spread: dict[str, list[tuple[Record, fleet_pb2.Instance]]] = defaultdict(list)
    for record, answer in seen.answers("list_instances", fleet_pb2.StreamInstancesResponse):
        instance = answer.instance
        spread[f"{instance.engine} {instance.version}".strip() or "not known"].append((record, instance))
    ordered = sorted(spread.items(), key=lambda entry: (-len(entry[1]), entry[0]))
    return [_version(version, members) for version, members in ordered[:MOST]]


def _version(version: str, members: list[tuple[Record, fleet_pb2.Instance]]) -> Fact:
    names = sorted(instance.name for _, instance in members)
    shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    record = members[0][0]
    return stated(
        f"{version}: {count(len(names), 'instance')} ({shown}).",
        record,
        ("instance.engine", "The engine."),
        ("instance.version", "The version."),
    )


def availability(seen: Seen) -> list[Fact]:
    """Which instances do not answer, or that all do."""
    listed = list(seen.answers("list_instances", fleet_pb2.StreamInstancesResponse))
    down = [(record, answer.instance) for record, answer in listed if answer.instance.health == fleet_pb2.HEALTH_DOWN]
    if listed and not down:
        return [stated(f"All {count(len(listed), 'instance')} that you may see answer.", listed[0][0])]
    return [
        stated(
            f"{instance.name} does not answer: {instance.reason or 'the reason is not known'}.",
            record,
            ("instance.health", "Whether it answers."),
            ("instance.reason", "Why not."),
        )
        for record, instance in down[:MOST]
    ]


def worst(seen: Seen) -> list[Fact]:
    """The instances with findings, the worst first, each with what was found."""
    found = []
    for record in seen.records.health().values():
        findings = [one for one in record.health.findings if record.health] if record.health else []
        hurting = [(number, one) for number, one in enumerate(findings) if one.severity > finding_pb2.SEVERITY_INFO]
        if hurting:
            found.append((record, hurting))
    found.sort(key=lambda entry: max((one.severity, one.impact) for _, one in entry[1]), reverse=True)
    total = len(seen.records.health())
    head = [Fact(f"{count(len(found), 'instance')} of {total} that were read have findings.", ())] if total > 1 else []
    return [*head, *(_worst(record, hurting) for record, hurting in found[:MOST])]


def _worst(record: Record, hurting: list[tuple[int, finding_pb2.Finding]]) -> Fact:
    kinds = ", ".join(dict.fromkeys(one.kind for _, one in hurting))
    word = finding_pb2.Severity.Name(max(one.severity for _, one in hurting)).removeprefix("SEVERITY_").lower()
    paths = [(f"health.findings[{number}].kind", "What the shard's detectors found.") for number, _ in hurting[:3]]
    return stated(f"{record.name} ({word}): {kinds}.", record, *paths)
