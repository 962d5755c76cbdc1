"""The words that both forms of a report share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from storex.agent.v1.report_pb2 import Report, Risk, RootCause, Verdict
from storex.common.v1.entity_pb2 import Limit

_POSITION = re.compile(r"\[\d+\]", re.ASCII)
_TYPE_WORDS = {"connection_id": "connection", "statement_digest": "statement", "error_code": "error"}


def verdict_word(report: Report) -> str:
    """The verdict without its prefix, such as `CONFIRMED`; `ANSWER` for a question that asked for no diagnosis."""
    if report.verdict == Verdict.VERDICT_UNSPECIFIED:
        return "ANSWER"
    return Verdict.Name(report.verdict).removeprefix("VERDICT_")


def period(report: Report) -> str:
    """The time in the past that a report is about, in UTC; empty for now."""
    if not report.HasField("about_end"):
        return ""
    start, end = (stamp.ToDatetime() for stamp in (report.about_start, report.about_end))
    same_day = start.date() == end.date()
    return (
        f"{start:%Y-%m-%d %H:%M} to {end:%H:%M} UTC"
        if same_day
        else f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    )


def risk_word(risk: Risk.ValueType) -> str:
    """What a step can harm, as a word."""
    word = Risk.Name(risk).removeprefix("RISK_").lower()
    return {"none": "reads only", "unspecified": "risk not said"}.get(word, f"{word} risk")


def headline(report: Report) -> str:
    """The verdict, what it is about and, if that is over, when it was or that it is a recording."""
    parts = [verdict_word(report), report.target, period(report)]
    if any(limit.code == "SNAPSHOT" for limit in report.limits):
        parts.append("as a snapshot recorded it")
    if report.partial:
        parts.append("partial")
    return "  ".join(part for part in parts if part)


def parts_of(cause: RootCause) -> Iterable[tuple[str, str]]:
    """Each role of a cause with what plays it, such as (`holder`, `connection 812, user payments`)."""
    roles: dict[str, list[str]] = {"also on": list(cause.also_on)} if cause.also_on else {}
    for entity in cause.entities:
        roles.setdefault(entity.role, []).append(f"{_TYPE_WORDS.get(entity.type, entity.type)} {entity.value}")
    return ((role, ", ".join(things)) for role, things in roles.items())


def references(numbers: Iterable[int]) -> str:
    """Positions in the evidence as people count them, runs drawn together: ` [1-3,7]`."""
    counted = sorted({number + 1 for number in numbers})
    return f" [{','.join(_runs(counted))}]" if counted else ""


def _runs(numbers: Sequence[int]) -> Iterator[str]:
    start = 0
    for position, number in enumerate(numbers):
        if position + 1 == len(numbers) or numbers[position + 1] != number + 1:
            first = numbers[start]
            yield str(first) if first == number else f"{first}-{number}"
            start = position + 1


@dataclass(slots=True)
class EvidenceGroup:
    """Evidence of one kind: the same tool, instance, statement, and path but for the positions in it."""

    tool: str
    path: str
    name: str
    statement: str
    numbers: list[int] = field(default_factory=list)
    values: dict[str, None] = field(default_factory=dict)

    @property
    def claim(self) -> str:
        """Where the values were read, and the values, each once."""
        return f"{self.tool}  {self.path} = {', '.join(self.values)}"


def evidence_groups(report: Report) -> list[EvidenceGroup]:
    """The evidence, drawn together where a report cites the same figure of many sessions; first come, first shown."""
    groups: dict[tuple[str, ...], EvidenceGroup] = {}
    for number, evidence in enumerate(report.evidence):
        pattern = _POSITION.sub("[*]", evidence.path)
        key = (evidence.tool, pattern, evidence.name, evidence.statement)
        group = groups.setdefault(key, EvidenceGroup(evidence.tool, evidence.path, evidence.name, evidence.statement))
        if group.path != evidence.path:
            group.path = pattern
        group.numbers.append(number)
        group.values.setdefault(evidence.value)
    return list(groups.values())


def ruled_out_lines(report: Report) -> Iterator[str]:
    """Why what is close to the causes is none, and then, family by family, what else was found clear.

    A healthy report, and one without a cause, tells the names alone: the figures of all are in its JSON and Markdown.
    """
    families = {cause.kind.partition(".")[0] for cause in report.root_causes}
    clear: dict[str, list[str]] = {}
    for item in report.ruled_out:
        family, _, name = item.kind.partition(".")
        if family in families or item.consequence_of:
            yield f"{item.kind}  {item.reason}"
        else:
            clear.setdefault(family, []).append(name)
    if clear:
        listed = "; ".join(f"{family} ({_listed(names)})" for family, names in clear.items())
        yield f"{'Also clear' if families else 'Clear'}: {listed}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


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


def recorded_line(report: Report) -> str:
    """The snapshots that were made of what it is about."""
    return f"Recorded as {', '.join(report.snapshots)}"


def footer(report: Report) -> str:
    """Who wrote it, what it cost, when that was, and how to go on."""
    usage = report.usage
    parts = [f"written by {report.written_by}", f"{usage.tool_calls} tool calls", f"{usage.wall_seconds:.1f} s"]
    if usage.input_tokens or usage.output_tokens:
        parts.append(f"{usage.input_tokens + usage.output_tokens:,} tokens")
    if report.struck:
        parts.append(f"{len(report.struck)} unproven claims struck")
    if report.HasField("created_at"):
        parts.append(f"{report.created_at.ToDatetime():%Y-%m-%d %H:%M:%S} UTC")
    if report.session_id:
        parts.append(f"session {report.session_id}")
    return " · ".join(parts)
