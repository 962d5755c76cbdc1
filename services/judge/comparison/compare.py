"""Pairs the outcomes of two runs, measures the differences, and says what stands against the candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from services.judge.comparison.agreement import NO_GRADINGS, Trust
from services.judge.comparison.noise import Pair, difference
from services.judge.comparison.soundness import LEAST_REPEATS, Sides, one_sided, unsound
from services.judge.grading.measures import judged_scores
from services.judge.scorers.cause_set import CAUSE_SET
from services.judge.scorers.registry import SCORERS
from services.judge.scorers.score import Better, Measure
from storex.judge.v1.comparison_pb2 import Comparison, Difference, WorseScenario
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run

ALL = ""
"""The family that stands for all scenarios together."""
_SLACK = 1e-9

Values = Mapping[tuple[str, str], tuple[float, ...]]
"""The values by scenario and scorer, one a repeat."""


def compare(baseline: Run, candidate: Run, trust: Trust = NO_GRADINGS) -> Comparison:
    """The two runs side by side. Harness errors are left out of every figure and keep the gate shut by themselves.

    `trust` says what a judging model's scores count for.
    """
    sides = Sides(baseline, candidate)
    problems = [*unsound(sides), *one_sided(sides, SCORERS.values()), *trust.problems]
    measures = (*SCORERS.values(), *trust.measures)
    families = {outcome.scenario_id: outcome.family for run in (baseline, candidate) for outcome in run.outcomes}
    before, after = _values(baseline.outcomes), _values(candidate.outcomes)
    differences = list(_differences(measures, families, before, after))
    problems += [_told(found) for found in differences if found.regression and found.gates and found.family != ALL]
    if _varies(measures, before, after) and min(baseline.repeats, candidate.repeats) < LEAST_REPEATS:
        problems.append(
            f"Answers differ from one repeat to the next, and there are fewer than {LEAST_REPEATS} repeats to tell a "
            f"change from chance. Run both with at least {LEAST_REPEATS}."
        )
    return Comparison(
        passed=not problems,
        problems=problems,
        differences=sorted(differences, key=lambda found: (not (found.regression and found.gates), found.family)),
        worse=_worse(sides, measures, families, before, after),
        baseline_name=baseline.candidate.name,
        candidate_name=candidate.candidate.name,
        kappa=trust.kappa,
        agreements=trust.agreements,
        notes=[*_that_cannot_fall(differences), *trust.notes],
    )


def _that_cannot_fall(differences: Iterable[Difference]) -> Iterator[str]:
    for found in differences:
        if found.scorer == CAUSE_SET.name and found.family != ALL and found.baseline == 0.0:
            yield (
                f"{found.family}: the baseline is right in none of {_counted(found.scenarios)}, so that nothing can "
                f"fall there. Look at what it says with `storex judge show`, or record them anew."
            )


def _values(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], tuple[float, ...]]:
    values: dict[tuple[str, str], tuple[float, ...]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: (outcome.scenario_id, outcome.repeat)):
        if outcome.status == OUTCOME_STATUS_SCORED:
            for score in (*outcome.scores, *judged_scores(outcome.grading)):
                key = (outcome.scenario_id, score.scorer)
                values[key] = (*values.get(key, ()), score.value)
    return values


def _differences(
    measures: Sequence[Measure], families: Mapping[str, str], before: Values, after: Values
) -> Iterable[Difference]:
    for scorer in measures:
        for family in sorted({ALL, *families.values()}):
            pairs = [
                Pair(before[scenario, scorer.name], after[scenario, scorer.name])
                for scenario, of in sorted(families.items())
                if family in (ALL, of) and (scenario, scorer.name) in before and (scenario, scorer.name) in after
            ]
            if pairs:
                yield _difference(family, scorer, pairs)


def _difference(family: str, scorer: Measure, pairs: Sequence[Pair]) -> Difference:
    found = difference(pairs)
    worst_case = found.high if scorer.better is Better.HIGHER else -found.low
    return Difference(
        family=family,
        scorer=scorer.name,
        baseline=_mean([sum(pair.baseline) / len(pair.baseline) for pair in pairs]),
        candidate=_mean([sum(pair.candidate) / len(pair.candidate) for pair in pairs]),
        low=found.low,
        high=found.high,
        scenarios=len(pairs),
        regression=worst_case < -_SLACK,
        gates=scorer.gates,
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _told(found: Difference) -> str:
    fell = f"{found.family}: {found.scorer} fell from {found.baseline:.2f} to {found.candidate:.2f}"
    over = f"over {_counted(found.scenarios)}"
    if found.low == found.high:
        return f"{fell} {over}."
    return f"{fell} {over}, beyond noise (the difference is {found.low:+.2f} to {found.high:+.2f})."


def _counted(scenarios: int) -> str:
    return "1 scenario" if scenarios == 1 else f"{scenarios} scenarios"


def _varies(measures: Sequence[Measure], before: Values, after: Values) -> bool:
    gating = {scorer.name for scorer in measures if scorer.gates}
    return any(len(set(values)) > 1 for side in (before, after) for (_, name), values in side.items() if name in gating)


def _worse(
    sides: Sides, measures: Sequence[Measure], families: Mapping[str, str], before: Values, after: Values
) -> list[WorseScenario]:
    """The scenarios in which a gating score fell, with the baseline's best repeat and the candidate's worst one."""
    worse = []
    for scenario, family in sorted(families.items()):
        fallen = [one.name for one in measures if one.gates and _fell(scenario, one, before, after)]
        if fallen:
            worse.append(
                WorseScenario(
                    scenario_id=scenario,
                    family=family,
                    reasons=_reasons(sides.candidate, scenario, fallen),
                    baseline_transcript=_transcript(sides.baseline, scenario, fallen, max),
                    candidate_transcript=_transcript(sides.candidate, scenario, fallen, min),
                )
            )
    return worse


def _fell(scenario: str, scorer: Measure, before: Values, after: Values) -> bool:
    was, is_ = before.get((scenario, scorer.name)), after.get((scenario, scorer.name))
    return bool(was and is_) and (_mean(is_ or ()) - _mean(was or ())) * scorer.better.value < -_SLACK


def _reasons(run: Run, scenario: str, fallen: Sequence[str]) -> list[str]:
    told = {
        f"{score.scorer}: {score.reason}": None
        for outcome in run.outcomes
        if outcome.scenario_id == scenario
        for score in (*outcome.scores, *judged_scores(outcome.grading))
        if score.scorer in fallen and score.reason
    }
    return list(told) or [f"{name} fell" for name in fallen]


def _transcript(run: Run, scenario: str, fallen: Sequence[str], pick: Callable[..., Outcome]) -> list[str]:
    """Of the repeat that `pick` chooses by the scores that fell, all of them shares; the first one among equals."""

    def worth(outcome: Outcome) -> float:
        scores = (*outcome.scores, *judged_scores(outcome.grading))
        return sum(score.value for score in scores if score.scorer in fallen)

    scored = [one for one in run.outcomes if one.scenario_id == scenario and one.status == OUTCOME_STATUS_SCORED]
    return list(pick(scored, key=worth).transcript) if scored else []
