"""What the judge's methods do, for one person at a time."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from libs.config import JudgeConfig
from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.ids import new_id
from libs.llm.ledger import Who
from libs.redaction.prose import scrub
from services.judge.comparison.agreement import trust_in
from services.judge.comparison.compare import compare
from services.judge.comparison.soundness import Sides
from services.judge.grading.grader import Grader
from services.judge.grading.rubric import Rubric, load_rubric
from services.judge.reach import Reach
from services.judge.running import GradingOrder, carry_on, grade_on, missing, ungraded
from services.judge.store import JudgeStore
from services.judge.truth import checked
from services.judge.worlds import Visible, destroyed, visible
from storex.judge.v1.comparison_pb2 import Comparison
from storex.judge.v1.judge_pb2 import (
    OUTCOME_STATUS_SCORED,
    CompareRunsRequest,
    Outcome,
    Run,
    RunCandidateRequest,
    RunCandidateResponse,
)
from storex.judge.v1.scenario_pb2 import Scenario

_log = logging.getLogger(__name__)

MOST_REPEATS, MOST_PARALLEL, PARALLEL = 50, 16, 4


@dataclass(frozen=True, slots=True)
class Evaluator:
    """Who evaluates, and what they can reach."""

    owner: str
    reach: Reach
    teams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judging:
    """Keeps scenarios and runs, and never shows a scenario whose world the evaluator may not read."""

    store: JudgeStore
    clock: Clock
    grader: Grader
    settings: JudgeConfig = field(default_factory=JudgeConfig)

    async def put(self, scenario: Scenario, evaluator: Evaluator) -> Scenario:
        """Keep a scenario.

        Raises StorexError REQUEST_INVALID, NAME_INVALID, or RESOURCE_NOT_FOUND or SNAPSHOT_KEY_DESTROYED for its world.
        """
        kept = checked(scenario)
        if (await self._must_be_visible([kept], evaluator)).destroyed:
            raise StorexError(Reason.SNAPSHOT_KEY_DESTROYED)
        same_id = [known for known in await self.store.scenarios() if known.scenario_id == kept.scenario_id]
        await self._must_be_visible(same_id, evaluator)
        await self.store.put_scenario(kept)
        return kept

    async def scenarios(self, evaluator: Evaluator) -> Visible:
        """The scenarios that the evaluator may see, with their truth.

        What is kept of worlds that are found destroyed is deleted: nobody may see it any more.
        """
        asked = await self.store.scenarios()
        found = await visible(asked, evaluator.reach)
        others = await self.store.worlds() - {scenario.world for scenario in asked}
        for world in sorted(found.destroyed | await destroyed(others, found.silent, evaluator.reach)):
            await self.store.forget(world)
            _log.info("deleted what was kept of %s, which was destroyed", world)
        return found

    async def run(
        self, request: RunCandidateRequest, evaluator: Evaluator
    ) -> AsyncGenerator[RunCandidateResponse, None]:
        """Begin or go on with a run, then have its reports graded where a rubric says by what.

        Raises StorexError REQUEST_INVALID, SCENARIO_NOT_FOUND or RUN_NOT_FOUND.
        """
        rubric = load_rubric(request.rubric) if request.rubric else None
        parallel = _within("parallel", request.parallel, MOST_PARALLEL) or PARALLEL
        seen = await self._by_id(evaluator)
        if request.run_id:
            if request.HasField("candidate") or request.scenario_ids or request.repeats:
                raise _invalid("run_id", "a run goes on with what it began with; give only the run id")
            run = _shown(await self.store.run(request.run_id, evaluator.owner), seen)
            if rubric is not None and (any(missing(run)) or ungraded(run, seen, rubric)):
                self.grader.check()
        else:
            if rubric is not None:
                self.grader.check()
            run = _shown(await self._begin(request, rubric, seen, evaluator), seen)
        yield RunCandidateResponse(run=_head(run))
        async with aclosing(carry_on(run, seen, evaluator.reach, self.store, parallel)) as outcomes:
            async for outcome in outcomes:
                run.done += outcome.status == OUTCOME_STATUS_SCORED
                yield RunCandidateResponse(run=_head(run), outcome=_told(outcome))
        if rubric is None and run.rubric:
            rubric = load_rubric(run.rubric)
        if rubric is not None:
            async with aclosing(self._grade(run.run_id, rubric, parallel, evaluator)) as graded:
                async for message in graded:
                    yield message

    async def _grade(
        self, run_id: str, rubric: Rubric, parallel: int, evaluator: Evaluator
    ) -> AsyncGenerator[RunCandidateResponse, None]:
        """Have graded what waits. Replays take long: who may see what is decided again before a model sees it."""
        seen = await self._by_id(evaluator)
        run = _shown(await self.store.run(run_id, evaluator.owner), seen)
        if not ungraded(run, seen, rubric):
            return
        self.grader.check()
        order = GradingOrder(self.grader, rubric, Who(evaluator.owner, evaluator.teams, run_id), self.store)
        async with aclosing(grade_on(run, seen, order, parallel)) as outcomes:
            async for outcome in outcomes:
                yield RunCandidateResponse(run=_head(run), outcome=_told(outcome))

    async def get(self, run_id: str, evaluator: Evaluator) -> Run:
        """A run with the scenarios and outcomes that may be seen now. Raises StorexError RUN_NOT_FOUND."""
        run = await self.store.run(run_id, evaluator.owner)
        return _shown(run, await self._by_id(evaluator))

    async def runs(self, evaluator: Evaluator) -> list[Run]:
        """The evaluator's runs, newest first, without outcomes and with the scenarios that may be seen now."""
        runs = await self.store.runs(evaluator.owner)
        seen = await self._by_id(evaluator) if runs else {}
        return [_shown(run, seen) for run in runs]

    async def compare(self, request: CompareRunsRequest, evaluator: Evaluator) -> Comparison:
        """Two runs side by side. Raises StorexError RUN_NOT_FOUND, for a run that only labels name too."""
        names = (request.baseline_run_id, request.candidate_run_id, *(label.run_id for label in request.labels))
        runs = {run_id: await self.get(run_id, evaluator) for run_id in dict.fromkeys(names)}
        baseline, candidate = runs[request.baseline_run_id], runs[request.candidate_run_id]
        trust = trust_in(Sides(baseline, candidate), request.labels, runs, self.settings)
        return compare(baseline, candidate, trust)

    async def _begin(
        self, request: RunCandidateRequest, rubric: Rubric | None, seen: dict[str, Scenario], evaluator: Evaluator
    ) -> Run:
        wanted = list(dict.fromkeys(request.scenario_ids)) or sorted(seen)
        if any(scenario_id not in seen for scenario_id in wanted) or not wanted:
            raise StorexError(Reason.SCENARIO_NOT_FOUND)
        repeats = _within("repeats", request.repeats, MOST_REPEATS) or 1
        run = Run(
            run_id=new_id("run"),
            candidate=request.candidate,
            scenario_ids=wanted,
            repeats=repeats,
            planned=len(wanted) * repeats,
            rubric=rubric.reference if rubric is not None else "",
        )
        run.candidate.name = scrub(run.candidate.name)  # people type it
        run.created_at.FromNanoseconds(int(self.clock.now() * 1e9))
        await self.store.begin(run, evaluator.owner)
        return run

    async def _by_id(self, evaluator: Evaluator) -> dict[str, Scenario]:
        """The scenarios that may be seen now."""
        return {scenario.scenario_id: scenario for scenario in (await self.scenarios(evaluator)).scenarios}

    async def _must_be_visible(self, scenarios: Sequence[Scenario], evaluator: Evaluator) -> Visible:
        """Raises StorexError where one may not be seen; what was destroyed is nobody's, and not in the way."""
        found = await visible(scenarios, evaluator.reach)
        if found.undecided:
            raise StorexError(Reason.SHARD_UNAVAILABLE)
        if any(scenario.world not in found.destroyed and scenario not in found.scenarios for scenario in scenarios):
            raise StorexError(Reason.RESOURCE_NOT_FOUND)
        return found


def _within(field: str, value: int, most: int) -> int:
    if not 0 <= value <= most:
        raise _invalid(field, f"it must be from 0 to {most}")
    return value


def _invalid(field: str, problem: str) -> StorexError:
    return StorexError(Reason.REQUEST_INVALID, field=field, problem=problem)


def _shown(run: Run, seen: Collection[str]) -> Run:
    """The run without what it holds of scenarios that may not be seen: it counts them, and says no more of them."""
    shown = Run()
    shown.CopyFrom(run)
    del shown.scenario_ids[:], shown.outcomes[:]
    shown.scenario_ids.extend(scenario_id for scenario_id in run.scenario_ids if scenario_id in seen)
    shown.outcomes.extend(outcome for outcome in run.outcomes if outcome.scenario_id in seen)
    return shown


def _head(run: Run) -> Run:
    """The run without its outcomes."""
    head = Run()
    head.CopyFrom(run)
    del head.outcomes[:]
    return head


def _told(outcome: Outcome) -> Outcome:
    """The outcome as progress shows it: `GetRun` has the rest."""
    told = Outcome()
    told.CopyFrom(outcome)
    told.ClearField("report")
    told.ClearField("transcript")
    return told
