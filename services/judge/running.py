"""Goes through what a run still lacks, several at a time; each outcome and grading is on the disk before it is told."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from libs.llm.ledger import Who
from services.judge.grading.grader import Grader
from services.judge.grading.rubric import Rubric
from services.judge.parallel import as_they_come
from services.judge.reach import Reach
from services.judge.replay import replay
from services.judge.store import JudgeStore
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Scenario

Unit = tuple[str, int]
"""A scenario's id and a repeat."""


@dataclass(frozen=True, slots=True)
class GradingOrder:
    """By whom and by what reports are graded, on whose budget, and where that is kept."""

    grader: Grader
    rubric: Rubric
    who: Who
    store: JudgeStore


def missing(run: Run) -> Iterator[Unit]:
    """What has not been scored yet, scenario by scenario; failures of the harness are tried again."""
    done = {
        (outcome.scenario_id, outcome.repeat) for outcome in run.outcomes if outcome.status == OUTCOME_STATUS_SCORED
    }
    for scenario_id in run.scenario_ids:
        for repeat in range(run.repeats):
            if (scenario_id, repeat) not in done:
                yield scenario_id, repeat


async def carry_on(
    run: Run, scenarios: Mapping[str, Scenario], reach: Reach, store: JudgeStore, parallel: int
) -> AsyncGenerator[Outcome, None]:
    """The outcomes that were missing, as they come. Ending the iteration cancels what is under way.

    `scenarios` are those of the run that whoever evaluates may see now; the others stay missing.
    """

    async def one(unit: Unit) -> Outcome:
        scenario_id, repeat = unit
        outcome = await replay(scenarios[scenario_id], run.candidate, repeat, reach)
        await store.keep(run.run_id, outcome, scenarios[scenario_id].world)
        return outcome

    units = [unit for unit in missing(run) if unit[0] in scenarios]
    async with aclosing(as_they_come(units, one, parallel)) as outcomes:
        async for outcome in outcomes:
            yield outcome


async def grade_on(
    run: Run, scenarios: Mapping[str, Scenario], grading: GradingOrder, parallel: int
) -> AsyncGenerator[Outcome, None]:
    """The outcomes of the run with what a judging model says of their reports, as it comes.

    Those that this rubric has graded already are left out; failures of the judging model are tried again.
    """

    async def one(outcome: Outcome) -> Outcome:
        found = await grading.grader.grade(scenarios[outcome.scenario_id], outcome.report, grading.rubric, grading.who)
        await grading.store.keep_grading(run.run_id, outcome, found)
        outcome.grading.CopyFrom(found)
        return outcome

    async with aclosing(as_they_come(ungraded(run, scenarios, grading.rubric), one, parallel)) as outcomes:
        async for outcome in outcomes:
            yield outcome


def ungraded(run: Run, scenarios: Collection[str], rubric: Rubric) -> list[Outcome]:
    """The scored outcomes of scenarios whose reports a rubric's questions have not been answered about."""
    return [
        outcome
        for outcome in run.outcomes
        if outcome.status == OUTCOME_STATUS_SCORED
        and outcome.scenario_id in scenarios
        and not (outcome.grading.status == GRADING_STATUS_GRADED and outcome.grading.rubric == rubric.reference)
    ]
