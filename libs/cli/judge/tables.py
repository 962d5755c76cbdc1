"""Runs and comparisons for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from libs.cli.judge.side_by_side import SideBySide, outcome_lines
from libs.cli.output import RowsView, table_of
from libs.cli.past import written
from libs.cli.safe_text import plain
from storex.judge.v1.comparison_pb2 import Comparison, Difference
from storex.judge.v1.grading_pb2 import Agreement
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Scenario

COLUMNS = ("family", "score", "baseline", "candidate", "difference", "scenarios", "")
MOST_WORSE = 5
"""Scenarios that got worse whose transcripts a terminal shows; the Markdown summary has all of them."""


def rows_of(comparison: Comparison) -> list[tuple[str, ...]]:
    """The comparison's table: regressions first, then what changed, then the rest."""
    return [_row(one) for one in sorted(comparison.differences, key=_order)]


def _order(one: Difference) -> tuple[bool, bool, str]:
    return (not (one.regression and one.gates), one.baseline == one.candidate, one.family)


def _row(one: Difference) -> tuple[str, ...]:
    spread = f"{one.candidate - one.baseline:+.3g}"
    if one.low != one.high:
        spread += f" ({one.low:+.3g} to {one.high:+.3g})"
    mark = ("regression" if one.gates else "dearer") if one.regression else ""
    values = (f"{one.baseline:.3g}", f"{one.candidate:.3g}", spread, str(one.scenarios), mark)
    return (one.family or "(all)", one.scorer, *values)


def comparison_view(comparison: Comparison) -> Iterator[RenderableType]:
    """The verdict, what stands against the candidate, the table, and the scenarios that got worse."""
    names = f"{comparison.candidate_name or 'candidate'} against {comparison.baseline_name or 'baseline'}"
    passed = comparison.passed
    yield Text.assemble((f"{'PASSED' if passed else 'FAILED'}  ", "bold green" if passed else "bold red"), plain(names))
    for problem in comparison.problems:
        yield plain(f"  {problem}")
    for line in agreement_lines(comparison):
        yield plain(f"  {line}")
    yield Text("")
    yield table_of(COLUMNS, rows_of(comparison), {"regression": "red"})
    for worse in comparison.worse[:MOST_WORSE]:
        yield Text("")
        yield plain(f"{worse.family}: {worse.scenario_id}: {'; '.join(worse.reasons)}", "bold")
        yield SideBySide(("was", "is"), worse.baseline_transcript, worse.candidate_transcript)
    if len(comparison.worse) > MOST_WORSE:
        yield plain(f"and {len(comparison.worse) - MOST_WORSE} more: --markdown FILE has them all")


def agreement_lines(comparison: Comparison) -> Iterator[str]:
    """What is known of the judging model, and what is worth knowing beside."""
    for one in comparison.agreements:
        yield f"{one.scorer}: {agreement_of(one)}"
    if comparison.HasField("kappa"):
        yield f"Agreement of the judging model with people over all questions (Cohen's kappa): {comparison.kappa:.2f}"
    yield from comparison.notes


def agreement_of(one: Agreement) -> str:
    """How far the judging model agrees with people, and what follows."""
    measured = f"Cohen's kappa {one.kappa:.2f} over {one.labels} labels" if one.HasField("kappa") else "no kappa"
    return f"{measured}; told only, for {one.reason}" if one.reason else f"{measured}; it gates"


def scenarios_side_by_side(sides: Sequence[Run], scenarios: Sequence[str]) -> Iterator[RenderableType]:
    """What two runs did in some scenarios, repeat by repeat."""
    found = [{(one.scenario_id, one.repeat): one for one in side.outcomes} for side in sides]
    titles = [f"{side.candidate.name} ({side.run_id})" for side in sides]
    for scenario in scenarios:
        repeats = sorted({repeat for side in found for name, repeat in side if name == scenario})
        for repeat in repeats:
            yield plain(f"{scenario} #{repeat}" if len(repeats) > 1 else scenario, "bold")
            first, second = (_lines_of(side.get((scenario, repeat))) for side in found)
            yield SideBySide((titles[0], titles[1]), first, second)
            yield Text("")


def _lines_of(outcome: Outcome | None) -> list[str]:
    return ["not replayed"] if outcome is None else outcome_lines(outcome)


def run_view(run: Run) -> Iterator[RenderableType]:
    """A run with its outcomes, one a line."""
    yield runs_view([run])
    yield Text("")
    columns = ("scenario", "family", "repeat", "exact", "entities", "tool calls", "why not")
    yield RowsView(columns, [_outcome_row(outcome) for outcome in run.outcomes])
    graded = [outcome for outcome in run.outcomes if outcome.HasField("grading")]
    if graded:
        yield Text("")
        rows = [row for outcome in graded for row in _grading_rows(outcome)]
        yield RowsView(("scenario", "repeat", "question", "answer", "why", "quote"), rows)


def runs_view(runs: Sequence[Run]) -> RenderableType:
    """Runs, one a line."""
    rows = [
        (
            run.run_id,
            run.candidate.name,
            f"{run.done}/{run.planned}",
            f"{written(run.created_at)} UTC",
        )
        for run in runs
    ]
    return RowsView(("run", "candidate", "done", "began"), rows)


def scenarios_view(scenarios: Sequence[Scenario]) -> RenderableType:
    """Scenarios, one a line."""
    rows = [(one.scenario_id, one.family, one.world, " / ".join(one.questions)) for one in scenarios]
    return RowsView(("scenario", "family", "world", "questions"), rows)


def _grading_rows(outcome: Outcome) -> Iterator[tuple[str, ...]]:
    head, grading = (outcome.scenario_id, str(outcome.repeat)), outcome.grading
    if grading.problem:
        yield (*head, f"not graded by {grading.model or 'anybody'}", "", grading.problem, "")
    for answer in grading.answers:
        mark = "" if answer.favourable else " (against it)"
        yield (*head, answer.question_id, f"{'yes' if answer.yes else 'no'}{mark}", answer.reason, answer.quote)


def _outcome_row(outcome: Outcome) -> tuple[str, ...]:
    head = (outcome.scenario_id, outcome.family, str(outcome.repeat))
    if outcome.status != OUTCOME_STATUS_SCORED:
        return (*head, "", "", str(outcome.tool_calls), f"harness error: {outcome.problem}")
    values = {score.scorer: f"{score.value:.3g}" for score in outcome.scores}
    reasons = "; ".join(score.reason for score in outcome.scores if score.reason)
    return (*head, values.get("cause_set", ""), values.get("entities_by_role", ""), str(outcome.tool_calls), reasons)
