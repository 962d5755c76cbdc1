"""Who owns an instance, and whom to call, as the inventory says."""

from __future__ import annotations

from services.agent.records import Record
from services.agent.report.facts.fact import Fact, Seen, stated
from storex.fleet.v1 import fleet_pb2

_ON_CALL = ("on-call", "on_call", "oncall", "pager", "escalation", "contact", "slack")
"""Labels by which inventories name whom to call."""
MOST = 10


def owners(seen: Seen) -> list[Fact]:
    """Team, service and whom to call of each instance that was looked up."""
    one = [
        (record, answer.instance, "instance")
        for record, answer in seen.answers("get_instance", fleet_pb2.GetInstanceResponse)
    ]
    many = [
        (record, answer.instance, "instance")
        for record, answer in seen.answers("list_instances", fleet_pb2.StreamInstancesResponse)
    ]
    return [_fact(record, instance, path) for record, instance, path in (one or many)[:MOST]]


def _fact(record: Record, instance: fleet_pb2.Instance, path: str) -> Fact:
    labels = dict(instance.labels)
    team = f"team {instance.team}" if instance.team else "no team that the inventory names"
    parts = [team]
    if "service" in labels:
        parts.append(f"service {labels['service']}")
    called = [label for label in labels if label.lower() in _ON_CALL]
    parts += [f"{label} {labels[label]}" for label in called]
    others = [f"{key}={value}" for key, value in sorted(labels.items()) if key not in (*called, "service")]
    text = f"{instance.name} belongs to {', '.join(parts)}"
    text += f" (labels {', '.join(others)})." if others else "."
    if not called:
        text += " The inventory names nobody on call; a label `on-call` would."
    return stated(
        text,
        record,
        (f"{path}.team", "The team that owns it."),
        *((f"{path}.labels[{key}]", "A label from the inventory.") for key in sorted(labels)),
    )
