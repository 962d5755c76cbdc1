"""A comparison as Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from libs.cli.judge.tables import COLUMNS, agreement_lines, rows_of
from libs.cli.safe_text import markdown, markdown_code, visible
from storex.judge.v1.comparison_pb2 import Comparison, WorseScenario


def comparison_markdown(comparison: Comparison) -> str:
    """The whole comparison; whatever is data in it cannot become markup."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    verdict = "Passed" if comparison.passed else "Failed"
    yield f"## {verdict}: {markdown(comparison.candidate_name)} against {markdown(comparison.baseline_name)}"
    yield ""
    yield from (f"- {markdown(problem)}" for problem in comparison.problems)
    yield from (f"- {markdown(line)}" for line in agreement_lines(comparison))
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for row in rows_of(comparison):
        yield f"| {' | '.join(markdown(cell) for cell in row)} |"
    for worse in comparison.worse:
        yield from _side_by_side(worse)


def _side_by_side(worse: WorseScenario) -> Iterator[str]:
    yield ""
    yield f"### {markdown(worse.family)}: {markdown_code(worse.scenario_id)}"
    yield ""
    yield from (f"- {markdown(reason)}" for reason in worse.reasons)
    yield ""
    yield "<details><summary>What they did</summary>"
    yield ""
    yield from _transcript("Baseline", worse.baseline_transcript)
    yield from _transcript("Candidate", worse.candidate_transcript)
    yield "</details>"


def _transcript(title: str, lines: Sequence[str]) -> Iterator[str]:
    """Indented code, which no line can break out of."""
    yield f"{title}:"
    yield ""
    yield from (f"    {visible(line)}" for line in lines)
    yield ""
