"""The users, hosts and programs that a report's sentences name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from google.protobuf.message import Message

from libs.sensitivity.classes import PUBLIC, SCHEMA
from libs.sensitivity.plan import apply
from libs.sensitivity.tokens import TOKEN
from services.agent.records import Record
from storex.agent.v1.report_pb2 import Report


def principals_in(report: Report, records: Iterable[Record]) -> list[str]:
    """The names among what was recorded that stand in a sentence or a command of the report, in alphabetical order.

    What a principal is, is what the contracts declare of the recorded fields, not what a word looks like.
    """
    names: set[str] = set()

    def collect(value: str) -> str:
        names.add(value)
        return ""

    for message in (*(record.message for record in records), *_parts(report)):
        if message is not None:
            apply(message, (PUBLIC, SCHEMA), collect)
    text = "\n".join(_sentences(report))
    return sorted(name for name in names if name in text and _stands_in(name, text))


def _stands_in(name: str, text: str) -> bool:
    if not name.strip() or TOKEN.fullmatch(name):
        return False
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _parts(report: Report) -> Iterator[Message]:
    for cause in report.root_causes:
        yield from cause.entities
    yield from report.evidence


def _sentences(report: Report) -> Iterator[str]:
    yield report.answer
    yield from (cause.summary for cause in report.root_causes)
    yield from (link.text for link in report.causal_chain)
    yield from (fact.text for fact in report.facts)
    yield from (item.reason for item in report.ruled_out)
    for step in report.next_steps:
        yield from (step.text, step.command)
