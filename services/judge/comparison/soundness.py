"""Whether two runs can be compared at all: an empty, short, broken or mostly uncaptured run proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.judge.scorers.own_report import OWN_REPORT, WITHOUT_MODELS
from services.judge.scorers.score import Measure
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_HARNESS_ERROR, OUTCOME_STATUS_SCORED, Run

MOSTLY_NOT_CAPTURED = 0.2
"""Largest share of tool calls that worlds may leave unanswered."""
LEAST_REPEATS = 3
"""Repeats that a candidate needs whose answers differ from one time to the next."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The two runs by the words that people know them by."""

    baseline: Run
    candidate: Run

    def __iter__(self) -> Iterator[tuple[str, Run]]:
        return iter((("The baseline", self.baseline), ("The candidate", self.candidate)))


def unsound(sides: Sides) -> list[str]:
    """What keeps the runs from being compared, in sentences; empty where they can be."""
    problems = [problem for side, run in sides for problem in _of_run(side, run)]
    if set(sides.baseline.scenario_ids) != set(sides.candidate.scenario_ids):
        problems.append("The runs went through different scenarios. Run both over the same ones.")
    return problems


def one_sided(sides: Sides, measures: Iterable[Measure]) -> Iterator[str]:
    """Gating scores that replays of the same scenario have on one side and lack on the other: no fall could be seen."""
    for measure in measures:
        if not (measure.gates and measure.always):
            continue
        there: dict[str, set[bool]] = {}
        for _, run in sides:
            if measure.name == OWN_REPORT.name and _asks_no_model(run):
                continue
            for outcome in run.outcomes:
                if outcome.status == OUTCOME_STATUS_SCORED:
                    has = any(score.scorer == measure.name for score in outcome.scores)
                    there.setdefault(outcome.scenario_id, set()).add(has)
        unlike = sorted(scenario for scenario, found in there.items() if len(found) > 1)
        if unlike:
            yield (
                f"Some replays have a score of {measure.name} and others have none, in {len(unlike)} scenarios "
                f"(such as {unlike[0]}): the truth was changed between the runs, or one is of an older version. Run "
                "both again."
            )


def _asks_no_model(run: Run) -> bool:
    """Whether there can be no report of a model's own; what the service does by itself shows in what there is."""
    if run.candidate.reasoner:
        return run.candidate.reasoner in WITHOUT_MODELS
    return not any(score.scorer == OWN_REPORT.name for outcome in run.outcomes for score in outcome.scores)


def _of_run(side: str, run: Run) -> Iterator[str]:
    if not run.planned or not run.outcomes:
        yield f"{side}'s run is empty: nothing was replayed, or nothing of it may be seen now."
        return
    hidden = run.planned - len(run.scenario_ids) * run.repeats
    if hidden > 0:
        yield (
            f"{side}'s run is short: {hidden} of {run.planned} replays are of worlds that cannot be read now, because "
            "they are gone, their region is silent, or you may not. Run both over what can be read."
        )
    if len(run.outcomes) < run.planned - hidden:
        yield (
            f"{side}'s run is short: {len(run.outcomes)} of {run.planned} replays are there. "
            f"Go on with it by its run id, {run.run_id}."
        )
    broken = [outcome for outcome in run.outcomes if outcome.status == OUTCOME_STATUS_HARNESS_ERROR]
    if broken:
        yield (
            f"{side}'s run has {len(broken)} harness errors, which say nothing about the candidate: "
            f"{broken[0].problem} Mend the cause, then go on with run {run.run_id}: they are tried again."
        )
    calls = sum(outcome.tool_calls for outcome in run.outcomes)
    missed = sum(outcome.not_captured for outcome in run.outcomes)
    if calls == 0 and not broken:
        yield f"{side} made no tool call: it cannot have looked at anything."
    elif calls and missed / calls > MOSTLY_NOT_CAPTURED:
        yield (
            f"{side} asked for what the worlds do not hold in {missed} of {calls} tool calls. "
            "Capture new worlds with the present version, then run both again."
        )
