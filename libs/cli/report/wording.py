"""The words that both forms of a report share."""

from __future__ import annotations

from collections.abc import Iterable

from storex.agent.v1.report_pb2 import Report, Risk, RootCause, Verdict
from storex.common.v1.entity_pb2 import Evidence, Limit

_TYPE_WORDS = {"connection_id": "connection", "statement_digest": "statement", "error_code": "error"}


def verdict_word(report: Report) -> str:
    """The verdict without its prefix, such as `CONFIRMED`."""
    return Verdict.Name(report.verdict).removeprefix("VERDICT_")


def risk_word(risk: Risk.ValueType) -> str:
    """What a step can harm, as a word."""
    word = Risk.Name(risk).removeprefix("RISK_").lower()
    return {"none": "reads only", "unspecified": "risk not said"}.get(word, f"{word} risk")


def headline(report: Report) -> str:
    """The verdict, what it is about, and how many claims did not survive the check."""
    parts = [verdict_word(report), report.target]
    if report.partial:
        parts.append("partial")
    return "  ".join(part for part in parts if part)


def parts_of(cause: RootCause) -> Iterable[tuple[str, str]]:
    """Each role of a cause with what plays it, such as (`holder`, `connection 812, user payments`)."""
    roles: dict[str, list[str]] = {}
    for entity in cause.entities:
        roles.setdefault(entity.role, []).append(f"{_TYPE_WORDS.get(entity.type, entity.type)} {entity.value}")
    return ((role, ", ".join(things)) for role, things in roles.items())


def references(numbers: Iterable[int]) -> str:
    """Positions in the evidence as people count them: ` [1][3]`."""
    marks = "".join(f"[{number + 1}]" for number in numbers)
    return f" {marks}" if marks else ""


def evidence_claim(evidence: Evidence) -> str:
    """Where a value was read, and the value."""
    return f"{evidence.tool}  {evidence.path} = {evidence.value}"


def limit_line(limit: Limit) -> str:
    """What could not be read, and what to do about it."""
    place = f"{limit.name}: " if limit.name else ""
    return f"{place}{limit.message} {limit.remedy}".strip()


def checked_line(report: Report) -> str:
    """What was looked at, each tool once with how often."""
    counts: dict[str, int] = {}
    for item in report.checked:
        label = item.tool if item.result == "SUCCESS" else f"{item.tool} ({item.result.lower()})"
        counts[label] = counts.get(label, 0) + 1
    return ", ".join(label if count == 1 else f"{label} x{count}" for label, count in counts.items())


def footer(report: Report) -> str:
    """Who wrote it, what it cost, and how to go on."""
    usage = report.usage
    parts = [f"written by {report.written_by}", f"{usage.tool_calls} tool calls", f"{usage.wall_seconds:.1f} s"]
    if usage.input_tokens or usage.output_tokens:
        parts.append(f"{usage.input_tokens + usage.output_tokens:,} tokens")
    if report.struck:
        parts.append(f"{len(report.struck)} unproven claims struck")
    if report.session_id:
        parts.append(f"session {report.session_id}")
    return " · ".join(parts)
