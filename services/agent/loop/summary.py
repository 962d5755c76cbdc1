"""What a tool call showed, in a line."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.agent.records import DENIED, ERROR, NO_DATA, Record
from services.agent.report.causes.wording import count
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

_MAX_FIELDS, _MAX_NAMED = 4, 3
_NUMBERS = (
    FieldDescriptor.CPPTYPE_INT32,
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_DOUBLE,
    FieldDescriptor.CPPTYPE_STRING,
)


def summarise(records: Sequence[Record]) -> str:
    """A line about what a call left behind."""
    if len(records) == 1:
        return _one(records[0])
    failed = sum(record.status in (ERROR, DENIED) for record in records)
    findings = sum(len(record.health.findings) for record in records if record.health is not None)
    parts = [f"answers: {len(records) - failed}"]
    if any(record.health is not None for record in records):
        parts.append(f"findings: {findings}")
    unread = sum(record.unreached is not None for record in records)
    if unread:
        parts.append(f"databases not checked: {unread}")
    if failed:
        parts.append(f"regions without an answer: {failed}")
    return ", ".join(parts)


def _one(record: Record) -> str:
    if record.status in (ERROR, DENIED):
        return record.problem
    if record.unreached is not None:
        return f"not checked: {_in_mid_sentence(record.unreached.message)}"
    if record.health is not None:
        return _of_health(record.health)
    if record.status == NO_DATA or record.message is None:
        return "nothing to show"
    return ", ".join([*_lists(record.message), *_values(record.message)][:_MAX_FIELDS])


def _of_health(health: diagnostics_pb2.InstanceHealth) -> str:
    kinds = [finding.kind for finding in health.findings]
    unmade = [check.kind for check in health.checks if check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED]
    made = len(health.checks) - len(unmade)
    if kinds:
        said = f"found {', '.join(kinds)}"
    elif made:
        said = f"nothing found by {count(made, 'check')}"
    else:
        return "not checked: no check could be made"
    if not unmade:
        return said
    more = f" and {len(unmade) - _MAX_NAMED} more" if len(unmade) > _MAX_NAMED else ""
    return f"{said}; {count(len(unmade), 'check')} could not be made: {', '.join(unmade[:_MAX_NAMED])}{more}"


def _in_mid_sentence(sentence: str) -> str:
    return (sentence[:1].lower() + sentence[1:]).rstrip(".")


def _lists(message: Message) -> list[str]:
    return [f"{field.name}: {len(value)}" for field, value in message.ListFields() if field.is_repeated]


def _values(message: Message) -> list[str]:
    return [
        f"{field.name}: {value:.6g}" if isinstance(value, float) else f"{field.name}: {value}"
        for field, value in message.ListFields()
        if not field.is_repeated and field.cpp_type in _NUMBERS and field.name != "next_page_token"
    ]
