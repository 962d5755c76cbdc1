"""A report on a terminal, or as plain lines in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from libs.cli.report.follow_up import follow_up
from libs.cli.report.wording import (
    checked_line,
    evidence_groups,
    footer,
    headline,
    limit_line,
    parts_of,
    recorded_line,
    references,
    risk_word,
    ruled_out_lines,
)
from libs.cli.safe_text import plain
from storex.agent.v1.report_pb2 import NextStep, Report, Risk, Verdict

_VERDICT_STYLES = {
    Verdict.VERDICT_CONFIRMED: "bold red",
    Verdict.VERDICT_LIKELY: "bold yellow",
    Verdict.VERDICT_INCONCLUSIVE: "bold yellow",
    Verdict.VERDICT_HEALTHY: "bold green",
}
_RISK_STYLES = {Risk.RISK_NONE: "green", Risk.RISK_LOW: "yellow", Risk.RISK_MEDIUM: "red", Risk.RISK_HIGH: "bold red"}


def report_view(report: Report) -> Iterator[RenderableType]:
    """The report, part by part; parts that are empty are left out."""
    yield _headline(report)
    if report.answer:
        yield plain(report.answer)
    yield from _parts(report, _evidence(report))
    yield Text("")
    if report.checked:
        yield plain(f"Checked: {checked_line(report)}", "dim")
    yield from _end(report)


def follow_up_view(report: Report, before: Report) -> Iterator[RenderableType]:
    """The answer to a follow-up, and what the report says that the one before did not."""
    found = follow_up(report, before)
    if report.answer:
        yield plain(report.answer, "bold")
    yield _headline(report)
    if found.gone:
        yield plain(f"No longer named: {', '.join(found.gone)}", "yellow")
    yield from _parts(found.report, _evidence(report, found.cited))
    yield Text("")
    if found.as_before:
        yield plain(f"As before: {', '.join(found.as_before)}; --whole prints all of it.", "dim")
    yield from _end(report)


def _headline(report: Report) -> Text:
    return plain(headline(report), _VERDICT_STYLES.get(report.verdict, "bold"))


def _parts(report: Report, evidence: Iterable[Text]) -> Iterator[RenderableType]:
    yield from _section("Root cause", _causes(report))
    yield from _section(
        "How it unfolds", (plain(f"→ {link.text}{references(link.evidence_refs)}") for link in report.causal_chain)
    )
    yield from _section("Seen", (plain(f"{fact.text}{references(fact.evidence_refs)}") for fact in report.facts))
    yield from _section("Evidence", evidence)
    yield from _section("Ruled out", (plain(line) for line in ruled_out_lines(report)))
    yield from _section("Next steps", _steps(report.next_steps))
    yield from _section("Could not be read", (plain(limit_line(limit), "yellow") for limit in report.limits))


def _end(report: Report) -> Iterator[RenderableType]:
    if report.snapshots:
        yield plain(recorded_line(report), "dim")
    yield plain(footer(report), "dim")


def _section(title: str, lines: Iterable[Text]) -> Iterator[RenderableType]:
    shown = list(lines)
    if shown:
        yield Text("")
        yield Text(title, style="bold")
        for line in shown:
            yield Padding(line, (0, 0, 0, 2), expand=False)


def _causes(report: Report) -> Iterator[Text]:
    for cause in report.root_causes:
        yield plain(f"{cause.kind}  {cause.confidence:.0%}  {cause.name}", "bold")
        yield plain(f"{cause.summary}{references(cause.evidence_refs)}")
        for role, things in parts_of(cause):
            yield plain(f"  {role}: {things}")


def _evidence(report: Report, cited: frozenset[int] | None = None) -> Iterator[Text]:
    """The evidence, or what of it is cited by its numbers."""
    for group in evidence_groups(report):
        if cited is not None and cited.isdisjoint(group.numbers):
            continue
        line = plain(f"{references(group.numbers).strip()} {group.claim}")
        if group.statement:
            line.append_text(plain(f"  {group.statement}", "dim"))
        yield line


def _steps(steps: Iterable[NextStep]) -> Iterator[Text]:
    for number, step in enumerate(steps, start=1):
        line = plain(f"{number}. {step.text} ")
        line.append(f"({risk_word(step.risk)})", style=_RISK_STYLES.get(step.risk, ""))
        yield line
        if step.command:
            yield plain(f"     {step.command}", "bold cyan")
