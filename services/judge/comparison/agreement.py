"""How far a judging model agrees with people: Cohen's kappa, and what its scores count for because of it.

J. Cohen, A coefficient of agreement for nominal scales, Educational and Psychological Measurement 20 (1960), 37-46.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from libs.config import JudgeConfig
from services.judge.comparison.soundness import Sides
from services.judge.grading.measures import JUDGED, judged_measure
from services.judge.scorers.score import Measure
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED, Agreement, Answer, Label
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run

Pairs = Sequence[tuple[bool, bool]]
"""What a person says of a report and what the model says, each as whether it speaks for the report."""
_Labelled = tuple[str, str, int, str, str]
"""Run, scenario, repeat, rubric and question."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the judging model's scores count for in one comparison.

    `problems` shut the gate, `notes` are told; `kappa` is over all questions together.
    """

    measures: tuple[Measure, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kappa: float | None = None


NO_GRADINGS = Trust()
"""Where no report was graded."""


def kappa(pairs: Pairs) -> float:
    """Agreement beyond chance of two judges over yes/no labels, from -1 to 1. Raises ValueError without labels.

    Where both always say the same one thing there is nothing to tell agreement from chance by: 1 if they agree.
    """
    if not pairs:
        raise ValueError("there are no labels to compare")
    observed = sum(one == other for one, other in pairs) / len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in (True, False)) / len(pairs) ** 2
    return 1.0 if chance == 1.0 else (observed - chance) / (1.0 - chance)


def trust_in(sides: Sides, labels: Iterable[Label], runs: Mapping[str, Run], settings: JudgeConfig) -> Trust:
    """What the gradings of two runs count for, by people's labels of these or of other `runs`, by their ids."""
    graded = [outcome.grading for _, run in sides for outcome in run.outcomes if outcome.HasField("grading")]
    if not graded:
        return NO_GRADINGS
    judges = {(one.rubric, one.model) for one in graded if one.status == GRADING_STATUS_GRADED}
    notes = list(_mixed(judges))
    labelled = {
        (label.run_id, label.scenario_id, label.repeat, label.rubric, label.question_id): label.yes for label in labels
    }
    pairs = _pairs(labelled, runs, judges)
    if labelled:
        lost = len(labelled) - sum(map(len, pairs.values()))
        notes += (
            [f"{lost} of {len(labelled)} labels are of reports that this model did not grade, or by another rubric."]
            if lost
            else []
        )
    agreements = [_agreement(dimension, pairs[dimension], settings, mixed=len(judges) > 1) for dimension in JUDGED]
    missing = list(_missing(sides))
    gating = any(one.gates for one in agreements)
    together = [pair for found in pairs.values() for pair in found]
    return Trust(
        measures=tuple(
            judged_measure(dimension, gates=one.gates) for dimension, one in zip(JUDGED, agreements, strict=True)
        ),
        agreements=tuple(agreements),
        problems=tuple(missing) if gating else (),
        notes=(*notes, *(missing if not gating else ())),
        kappa=kappa(together) if together else None,
    )


def _mixed(judges: set[tuple[str, str]]) -> Iterator[str]:
    if len(judges) > 1:
        names = ", ".join(f"{model} by {rubric}" for rubric, model in sorted(judges))
        yield f"The reports were graded by more than one judge ({names}): their scores cannot be compared."


def _pairs(
    labelled: Mapping[_Labelled, bool], runs: Mapping[str, Run], judges: set[tuple[str, str]]
) -> dict[str, list[tuple[bool, bool]]]:
    """By dimension. A yes counts by what it says of the report, so that no question agrees by its wording alone."""
    found: dict[str, list[tuple[bool, bool]]] = {dimension: [] for dimension in JUDGED}
    for run_id, run in runs.items():
        for outcome, answer in _answers(run, judges):
            yes = labelled.get(
                (run_id, outcome.scenario_id, outcome.repeat, outcome.grading.rubric, answer.question_id)
            )
            if yes is not None and answer.dimension in found:
                found[answer.dimension].append(((yes == answer.yes) == answer.favourable, answer.favourable))
    return found


def _answers(run: Run, judges: set[tuple[str, str]]) -> Iterator[tuple[Outcome, Answer]]:
    for outcome in run.outcomes:
        grading = outcome.grading
        if grading.status == GRADING_STATUS_GRADED and (grading.rubric, grading.model) in judges:
            yield from ((outcome, answer) for answer in grading.answers)


def _agreement(dimension: str, pairs: Pairs, settings: JudgeConfig, *, mixed: bool) -> Agreement:
    agreement = Agreement(scorer=JUDGED[dimension], labels=len(pairs))
    if pairs:
        agreement.kappa = kappa(pairs)
    agreement.reason = _why_not(pairs, agreement.kappa, settings, mixed=mixed)
    agreement.gates = not agreement.reason
    return agreement


def _why_not(pairs: Pairs, found: float, settings: JudgeConfig, *, mixed: bool) -> str:
    """Why the scores do not gate; empty where they do."""
    if not pairs:
        return "there are no labels by people"
    if len(pairs) < settings.labels:
        return f"there are {len(pairs)} labels by people, fewer than {settings.labels}"
    if len({person for person, _ in pairs}) < 2:
        return "people say the same of every report, which agreement cannot be measured by"
    if found < settings.kappa:
        return f"the agreement is below {settings.kappa:.2f}"
    return "more than one judge graded the reports" if mixed else ""


def _missing(sides: Sides) -> Iterator[str]:
    for side, run in sides:
        scored = [outcome for outcome in run.outcomes if outcome.status == OUTCOME_STATUS_SCORED]
        lacking = [one.grading for one in scored if one.grading.status != GRADING_STATUS_GRADED]
        if lacking:
            problem = next((grading.problem for grading in lacking if grading.problem), "They were not asked for.")
            yield (
                f"{side}'s run lacks {len(lacking)} of {len(scored)} gradings by the judging model, which says nothing "
                f"about the candidate: {problem} Go on with run {run.run_id} and its rubric: they are tried again."
            )
