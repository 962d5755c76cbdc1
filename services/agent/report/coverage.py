"""What was looked at, what that rules out, and what could not be seen."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence

from libs.core.catalogue import CATALOGUE
from libs.core.names import WILDCARD
from services.agent.records import DENIED, ERROR, Record, Records
from services.agent.report.draft import DraftCause
from services.agent.report.matching import cite
from services.agent.target import Target, parse_target
from storex.agent.v1 import agent_pb2, report_pb2
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import finding_pb2

_OF_MANY = "stream_health"
_LISTING = "list_instances"
"""Tells which instances there are, and nothing of how they are."""

_LOOP_REMEDIES = {
    "BUDGET_SPENT": "Ask again with a narrower question, or raise the agent's budget.",
    "MODEL_UNAVAILABLE": "Check the model endpoint, or ask without one.",
    "MODEL_NOT_NAMED": "Set STOREX_MODEL to the model's name where the agent runs, and start it again.",
    "MODEL_BUDGET_SPENT": "Wait until the budget renews, or ask who runs Storex to raise it in storex.yaml.",
    "MODEL_NONSENSE": "Use a stronger model, or ask without one.",
    "MODEL_REFUSED": "Report it: something that looks like customer data was about to be sent to a model.",
    "MODEL_REPEATS": "Use a stronger model, or ask without one.",
    "SESSION_NOT_KEPT": "Free disk space where the agent keeps its state; a follow-up would ask again.",
    "MODEL_UNSUPPORTED": "Use a stronger model, or ask without one.",
    "HISTORY_NOT_KEPT": "Ask while it happens.",
    "SPECIALIST_FAILED": "Check the specialist's model endpoint, or give it more turns or tokens.",
    "SOURCE_NOT_SEEN": "Ask somebody who may see its source, or add the source to the inventory.",
}


def loop_limit(code: str, message: str, name: str = "") -> entity_pb2.Limit:
    """A limit of the investigation itself, or of what it says of the instance `name`."""
    return entity_pb2.Limit(source="agent", code=code, message=message, remedy=_LOOP_REMEDIES.get(code, ""), name=name)


def checked_items(records: Records) -> list[report_pb2.CheckedItem]:
    """One item a tool and resource, with the newest result, in order of first use."""
    items: dict[tuple[str, str], report_pb2.CheckedItem] = {}
    for record in records:
        result = agent_pb2.ToolStatus.Name(record.status).removeprefix("TOOL_STATUS_")
        kinds = [check.kind for check in _checks(record) if check.result != finding_pb2.CHECK_RESULT_NOT_CHECKED]
        items[record.tool, record.name] = report_pb2.CheckedItem(
            tool=record.tool, name=record.name, result=result, kinds=kinds
        )
    return list(items.values())


def gather_limits(records: Records, target: str, *, checks: bool = True) -> list[entity_pb2.Limit]:
    """Every limit that an answer names, every call that failed, and every check that was not made, each once.

    Without `checks` the last are left out, for when one limit tells of them all.
    """
    limits: dict[tuple[str, str, str], entity_pb2.Limit] = {}
    for record in records:
        for limit in (*_of_answer(record), *_of_failure(record), *(_of_checks(record) if checks else ())):
            if limit.name == target:
                limit.name = ""
            limits.setdefault((limit.name, limit.source, limit.code), limit)
    return list(limits.values())


def covers(records: Records, target: str) -> bool:
    """Whether the health of all that was asked about was read: the instance itself, or every one of many at once."""
    wanted = parse_target(target)
    health = records.health()
    if wanted.is_instance:
        return str(wanted.name) in health
    return any(_reaches(record, wanted) for record in health.values() if record.tool == _OF_MANY)


def _reaches(record: Record, target: Target) -> bool:
    """Whether the call that left this answer asked for at least that target."""
    asked = json.loads(record.arguments) if record.arguments else {}
    region = str(asked.get("name", f"regions/{target.name.region}/")).split("/")[1:2]
    service = str(asked.get("service", ""))
    return region in ([WILDCARD], [target.name.region]) and (not service or ("service", service) in target.labels)


def ruled_out(records: Records, causes: Sequence[DraftCause]) -> list[report_pb2.RuledOut]:
    """Kinds that every instance's checks found clear, with the figures; and kinds that are only a consequence."""
    health = [record for record in records.health().values() if record.health is not None]
    named = {cause.kind for cause in causes}
    by_kind: dict[str, list[tuple[Record, int, finding_pb2.Check]]] = {}
    for record in health:
        for position, check in enumerate(_checks(record)):
            by_kind.setdefault(check.kind, []).append((record, position, check))
    return [
        _clear(kind, checks)
        for kind, checks in by_kind.items()
        if kind not in named
        and len(checks) == len(health)
        and all(check.result == finding_pb2.CHECK_RESULT_CLEAR for _, _, check in checks)
    ] + _consequences(health, named)


def is_blind(records: Records) -> bool:
    """Whether something was not seen that could hide a cause: a part that failed, or a check that was not made."""
    health = records.health()
    answered = {record.name for record in health.values()}
    failed = any(
        record.status in (ERROR, DENIED) and record.name not in answered and record.tool != _LISTING
        for record in records
    )
    checks = [check for record in health.values() for check in _checks(record)]
    unchecked = any(check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED for check in checks)
    return failed or unchecked or not checks


def _checks(record: Record) -> Iterable[finding_pb2.Check]:
    return record.health.checks if record.health is not None else ()


def _clear(kind: str, checks: Sequence[tuple[Record, int, finding_pb2.Check]]) -> report_pb2.RuledOut:
    record, position, check = checks[0]
    reason = check.reason
    if len(checks) > 1:
        reason = f"Clear on all {len(checks)} instances; on one of them: {reason}"
    path = f"health.checks[{position}].{'reason' if check.reason else 'result'}"
    return _stands_on(record, path, report_pb2.RuledOut(kind=kind, reason=reason), "What the shard's check came to.")


def _consequences(health: Sequence[Record], named: Collection[str]) -> list[report_pb2.RuledOut]:
    consequences: dict[str, report_pb2.RuledOut] = {}
    for record in health:
        findings = record.health.findings if record.health is not None else ()
        places = {finding.id: place for place, finding in enumerate(findings)}
        for finding in findings:
            for place in (places[identifier] for identifier in finding.explains if identifier in places):
                explained = findings[place]
                if explained.kind not in named and explained.kind not in consequences:
                    reason = f"There, but a consequence of {finding.kind}: {explained.summary}"
                    out = report_pb2.RuledOut(kind=explained.kind, reason=reason, consequence_of=finding.kind)
                    path = f"health.findings[{place}].summary"
                    consequences[explained.kind] = _stands_on(record, path, out, "What the shard's detectors found.")
    return list(consequences.values())


def _stands_on(record: Record, path: str, out: report_pb2.RuledOut, statement: str) -> report_pb2.RuledOut:
    citation = cite(record, path, path)
    if citation is not None:
        out.evidence.CopyFrom(citation.evidence(statement))
    return out


def _of_answer(record: Record) -> list[entity_pb2.Limit]:
    named: list[entity_pb2.Limit] = []
    for limit in record.limits:
        copy = entity_pb2.Limit()
        copy.CopyFrom(limit)
        copy.name = limit.name or record.name
        named.append(copy)
    return named


def _of_failure(record: Record) -> list[entity_pb2.Limit]:
    if record.status not in (ERROR, DENIED):
        return []
    message, _, remedy = record.problem.partition(". ")
    return [
        entity_pb2.Limit(
            source=record.tool,
            code=record.reason,
            message=message if message.endswith(".") or not message else f"{message}.",
            remedy=remedy,
            name=record.name,
        )
    ]


def _of_checks(record: Record) -> list[entity_pb2.Limit]:
    """A check that was not made, unless a limit of the same answer already tells why something is not seen.

    The check's own reason is not repeated here: it may name tables, and limits are PUBLIC.
    """
    if record.limits:
        return []
    return [
        entity_pb2.Limit(
            source=check.kind,
            code="NOT_CHECKED",
            message=f"{CATALOGUE[check.kind].title if check.kind in CATALOGUE else check.kind}: could not be checked.",
            name=record.name,
        )
        for check in _checks(record)
        if check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED
    ]
