"""Whether everything that a report claims was recorded, looked up once more by other code than the agent's own.

The agent's store is read as a file, answers are walked as JSON, and figures are compared as numbers: nothing of the
verifier, of its citations or of its paths is used.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from storex.agent.v1 import report_pb2

_STEP = re.compile(r"([a-z0-9_]+)(?:\[([^\]]*)\])?")
_FIGURE = re.compile(r"(?<![\w.:/-])\d+(?:,\d{3})*(?:\.\d+)?(?![\w:/-]|[.,]\d)")
_SIZE = re.compile(r"([\d.,]+) ([KMGT]i?B)\b")
_SIZES = {"K": 1, "M": 2, "G": 3, "T": 4}
_SPANS = re.compile(r"(\d+) d (\d+) h|(\d+) h (\d+) min|(\d+) min (\d+) s|([\d.]+) (ms|s)\b")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?(?: UTC)?")
_COMMANDS = re.compile(r"`[^`]*`")
_ROUNDING = 1e-6
"""What a sum of binary fractions may be off by, so that a half is taken for a half."""
_SHOWN_IN_HEALTH = ("CHECK_RESULT_CLEAR", "CHECK_RESULT_FOUND")


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded answer as JSON."""

    call_id: str
    tool: str
    name: str
    values: dict[str, Any]


def recorded_answers(path: Path, session_id: str) -> list[Answer]:
    """What the agent has recorded for a session, from its file."""
    query = "SELECT call_id, tool, name, message_type, message FROM records WHERE session_id = ? ORDER BY position"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute(query, (session_id,)).fetchall()
    return [
        Answer(call_id, tool, name, _as_json(kind, message))
        for call_id, tool, name, kind, message in rows
        if message is not None
    ]


def _as_json(message_type: str, message: bytes) -> dict[str, Any]:
    descriptor = descriptor_pool.Default().FindMessageTypeByName(message_type)
    return values_of(message_factory.GetMessageClass(descriptor).FromString(message))


def values_of(message: Message) -> dict[str, Any]:
    """An answer as JSON, with its zeros."""
    values: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return values


def unsupported(report: report_pb2.Report, answers: Sequence[Answer]) -> tuple[int, list[str]]:
    """How many claims were looked up, and those that do not hold, in sentences."""
    checks = [
        *_evidence(report, answers),
        *_citations(report),
        *_entities(report, answers),
        *_figures(report),
        *_ruled_out(report, answers),
        *_verdict(report, answers),
    ]
    return len(checks), [problem for problem in checks if problem]


def _evidence(report: report_pb2.Report, answers: Sequence[Answer]) -> Iterator[str]:
    for item in (*report.evidence, *(out.evidence for out in report.ruled_out)):
        found = [
            _at(answer.values, item.path)
            for answer in answers
            if (answer.call_id, answer.tool, answer.name) == (item.call_id, item.tool, item.name)
        ]
        holds = any(_same(item.value, value) for value in found)
        yield "" if holds else f"{item.tool} {item.path} of {item.name} is not recorded as {item.value!r}."


def _at(values: Any, path: str) -> Any:
    """The value at a path such as `holders[0].session.user`; None where it leads nowhere."""
    for field, key in _STEP.findall(path):
        values = values.get(field) if isinstance(values, dict) else None
        if key and isinstance(values, list) and key.isdecimal():
            values = values[int(key)] if int(key) < len(values) else None
        elif key and isinstance(values, dict):
            values = values.get(key)
    return values


def _same(claimed: str, recorded: Any) -> bool:
    if recorded is None or isinstance(recorded, dict | list):
        return False
    if isinstance(recorded, bool):
        return claimed == str(recorded).lower()
    try:
        return float(claimed) == float(recorded)
    except ValueError:
        return claimed == str(recorded)


def _citations(report: report_pb2.Report) -> Iterator[str]:
    claims: list[tuple[str, Iterable[int]]] = [
        *((f"cause {cause.kind}", cause.evidence_refs) for cause in report.root_causes),
        *((f"link {link.text!r}", link.evidence_refs) for link in report.causal_chain),
        *((f"fact {fact.text!r}", fact.evidence_refs) for fact in report.facts),
    ]
    for what, refs in claims:
        cited = list(refs)
        valid = all(0 <= position < len(report.evidence) for position in cited)
        yield "" if cited and valid else f"The {what} cites nothing that is there."


def _entities(report: report_pb2.Report, answers: Sequence[Answer]) -> Iterator[str]:
    by_name: dict[str, set[str]] = {}
    for answer in answers:
        by_name.setdefault(answer.name, set()).update(_leaves(answer.values))
    for cause in report.root_causes:
        for part in cause.entities:
            known = by_name.get(cause.name, set())
            # `shop.orders.PRIMARY` may be recorded as a table and its index.
            holds = part.value in known or all(piece in known for piece in _pieces(part.value, known))
            yield "" if holds else f"{part.role} {part.type} {part.value} of {cause.kind} is in no recorded answer."


def _pieces(value: str, known: set[str]) -> list[str]:
    before, _, last = value.rpartition(".")
    return [before, last] if before in known else value.split(".")


def _leaves(values: Any) -> Iterator[str]:
    if isinstance(values, dict):
        for member in values.values():
            yield from _leaves(member)
    elif isinstance(values, list):
        for member in values:
            yield from _leaves(member)
    else:
        yield str(values)


def _figures(report: report_pb2.Report) -> Iterator[str]:
    """Each figure of a text must be a value that the same claim cites, or made of two of them."""
    for cause in report.root_causes:
        yield from _unbacked(f"{cause.kind} says", cause.summary, _cited(report, cause.evidence_refs), cause)
    for link in report.causal_chain:
        # A link may repeat who it is about; that stands in the causes.
        yield from _unbacked("the chain says", link.text, _cited(report, link.evidence_refs), *report.root_causes)
    for fact in report.facts:
        yield from _unbacked("a fact says", fact.text, _cited(report, fact.evidence_refs))


def _cited(report: report_pb2.Report, refs: Iterable[int]) -> list[str]:
    return [report.evidence[position].value for position in refs if position < len(report.evidence)]


def _unbacked(who: str, text: str, cited: list[str], *causes: report_pb2.RootCause) -> Iterator[str]:
    # Texts that are themselves evidence (what a shard says, a type such as int(11)) carry their figures with them.
    spoken = " ".join(value for value in cited if _number(value) is None)
    plain = _MOMENT.sub(" ", _COMMANDS.sub(" ", text))
    numbers = [number for number in map(_number, cited) if number is not None]
    known = {part.value for cause in causes for part in cause.entities} | set(cited)
    counts = {float(len([part for part in cause.entities if part.role == "victim"])) for cause in causes}
    for span in _SPANS.finditer(plain):
        seconds, unit = _seconds(span)
        holds = any(abs(number - seconds) <= unit for number in numbers) or span.group() in spoken
        yield "" if holds else f"{who} {span.group()}, which it does not cite: {text}"
    for size in _SIZE.finditer(plain):
        base = 1024.0 if "i" in size.group(2) else 1000.0
        value, step = (float(text) * base ** _SIZES[size.group(2)[0]] for text in (size.group(1).replace(",", ""), "1"))
        holds = any(abs(number - value) <= step for number in numbers) or size.group() in spoken
        yield "" if holds else f"{who} {size.group()}, which it does not cite: {text}"
    for figure in _FIGURE.findall(_SIZE.sub(" ", _SPANS.sub(" ", plain))):
        value = float(figure.replace(",", ""))
        step = 10.0 ** -len(figure.partition(".")[2])
        holds = figure in known or figure in spoken or value in counts or _made_of(value, step, numbers)
        yield "" if holds else f"{who} {figure}, which it does not cite: {text}"


def _seconds(span: re.Match[str]) -> tuple[float, float]:
    """A span in seconds, and what its last place stands for."""
    days, hours_, hours, minutes_, minutes, seconds_, plain, unit = span.groups()
    if days is not None:
        return int(days) * 86400 + int(hours_) * 3600, 3600
    if hours is not None:
        return int(hours) * 3600 + int(minutes_) * 60, 60
    if minutes is not None:
        return int(minutes) * 60 + int(seconds_), 1
    scale = 0.001 if unit == "ms" else 1.0
    return float(plain) * scale, scale * 10.0 ** -len(plain.partition(".")[2])


def _made_of(value: float, step: float, numbers: Sequence[float]) -> bool:
    """Whether a figure is one of the numbers, a percentage of it or of the rest, or made of two, all as rounded."""
    for one in numbers:
        made = [one, one * 100, (1 - one) * 100]
        for other in numbers:
            made += [one - other, *([one / other, 100 * one / other] if other else [])]
        if any(abs(result - value) <= 0.5 * step + _ROUNDING for result in made):
            return True
    return False


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ruled_out(report: report_pb2.Report, answers: Sequence[Answer]) -> Iterator[str]:
    newest = {answer.name: answer.values["health"] for answer in answers if "health" in answer.values}
    for out in report.ruled_out:
        clear = bool(newest) and all(
            _check(health, out.kind) == "CHECK_RESULT_CLEAR" or _is_consequence(health, out.kind)
            for health in newest.values()
        )
        yield "" if clear else f"{out.kind} was ruled out, but no check says so."


def _check(health: dict[str, Any], kind: str) -> str:
    return next((check["result"] for check in health.get("checks", ()) if check["kind"] == kind), "")


def _is_consequence(health: dict[str, Any], kind: str) -> bool:
    findings = health.get("findings", [])
    explained = {identifier for finding in findings for identifier in finding.get("explains", ())}
    return any(finding["kind"] == kind and finding["id"] in explained for finding in findings)


def _verdict(report: report_pb2.Report, answers: Sequence[Answer]) -> Iterator[str]:
    if report.verdict != report_pb2.VERDICT_HEALTHY:
        return
    newest = {answer.name: answer.values["health"] for answer in answers if "health" in answer.values}
    read = newest.get(report.target, {})
    checks = read.get("checks", [])
    holds = bool(checks) and all(check["result"] in _SHOWN_IN_HEALTH for check in checks)
    yield "" if holds else "It says healthy, but not every check was made."
