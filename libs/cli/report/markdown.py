"""A report as Markdown, for a ticket or a channel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from libs.cli.report.wording import (
    EvidenceGroup,
    checked_line,
    evidence_groups,
    footer,
    headline,
    limit_line,
    parts_of,
    recorded_line,
    references,
    risk_word,
)
from libs.cli.safe_text import markdown, markdown_code
from storex.agent.v1.report_pb2 import NextStep, Report, RootCause


def report_markdown(report: Report) -> str:
    """The whole report; whatever is data in it cannot become markup."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"## {markdown(headline(report))}"
    if report.answer:
        yield from ("", markdown(report.answer))
    for cause in report.root_causes:
        yield from ("", *_cause(cause))
    yield from _list(
        "How it unfolds", [f"{markdown(link.text)}{_marks(link.evidence_refs)}" for link in report.causal_chain]
    )
    yield from _list("Seen", [f"{markdown(fact.text)}{_marks(fact.evidence_refs)}" for fact in report.facts])
    yield from _list("Evidence", [_evidence(group) for group in evidence_groups(report)])
    yield from _list("Ruled out", [f"{markdown_code(item.kind)}: {markdown(item.reason)}" for item in report.ruled_out])
    yield from _list("Next steps", [_step(step) for step in report.next_steps], numbered=True)
    yield from _list("Could not be read", [markdown(limit_line(limit)) for limit in report.limits])
    if report.checked:
        yield from ("", f"Checked: {markdown(checked_line(report))}")
    if report.snapshots:
        yield from ("", markdown(recorded_line(report)))
    yield from ("", f"*{markdown(footer(report))}*")


def _cause(cause: RootCause) -> Iterator[str]:
    yield f"### {markdown_code(cause.kind)} {cause.confidence:.0%}"
    yield ""
    yield f"{markdown(cause.summary)}{_marks(cause.evidence_refs)}"
    yield ""
    if cause.name:
        yield f"- instance: {markdown_code(cause.name)}"
    for role, things in parts_of(cause):
        yield f"- {markdown(role)}: {markdown_code(things)}"


def _evidence(group: EvidenceGroup) -> str:
    values = ", ".join(markdown_code(value) for value in group.values)
    claim = f"{_marks(group.numbers).strip()} {markdown_code(group.tool)} {markdown_code(group.path)} = {values}"
    return f"{claim}: {markdown(group.statement)}" if group.statement else claim


def _step(step: NextStep) -> str:
    command = f"  \n   {markdown_code(step.command)}" if step.command else ""
    return f"{markdown(step.text)} ({risk_word(step.risk)}){command}"


def _list(title: str, items: list[str], *, numbered: bool = False) -> Iterator[str]:
    if items:
        yield from ("", f"### {title}", "")
        for number, item in enumerate(items, start=1):
            yield f"{number}. {item}" if numbered else f"- {item}"


def _marks(numbers: Iterable[int]) -> str:
    return markdown(references(numbers))
