from __future__ import annotations

import pytest

from libs.config import JudgeConfig
from services.judge.comparison.agreement import NO_GRADINGS, Trust, kappa, trust_in
from services.judge.comparison.compare import compare
from services.judge.comparison.soundness import Sides
from storex.judge.v1.grading_pb2 import Label
from storex.judge.v1.judge_pb2 import Run
from tests.unit.judge.graded import RUBRIC, failed, graded_run, grading
from tests.unit.judge.reports import run

FAVOURABLE, AGAINST = True, False
FEW = JudgeConfig(labels=4)


def runs(*favourable: bool) -> tuple[Run, Run]:
    """Two runs alike, whose accuracy the model judges so by one question a report."""
    gradings = [grading({"accuracy/says": one, "helpfulness/not_harmful": True}) for one in favourable]
    return graded_run("old", gradings), graded_run("new", gradings)


def labels(of: Run, question: str, *yes: bool) -> list[Label]:
    return [
        Label(run_id=of.run_id, scenario_id=f"s{number:02}", question_id=question, yes=one, rubric=RUBRIC)
        for number, one in enumerate(yes)
    ]


def trust(sides: tuple[Run, Run], given: list[Label], settings: JudgeConfig = FEW) -> Trust:
    return trust_in(Sides(*sides), given, {one.run_id: one for one in sides}, settings)


def by_hand() -> tuple[tuple[Run, Run], list[Label]]:
    """Ten reports. Model and people: both for 5, both against 3, model alone against 1, people alone against 1.

    They agree in 8 of 10. For: people 6, model 6; by chance 0.6 * 0.6 + 0.4 * 0.4 = 0.52. Kappa (0.8 - 0.52) / 0.48.
    """
    sides = runs(*[FAVOURABLE] * 5, *[AGAINST] * 3, AGAINST, FAVOURABLE)
    return sides, labels(sides[0], "says", *[True] * 5, *[False] * 3, True, False)


def test_kappa_of_labels_is_what_the_hand_computes() -> None:
    found = trust(*by_hand())
    accuracy, helpfulness = found.agreements
    assert accuracy.kappa == pytest.approx(0.28 / 0.48)
    assert (accuracy.labels, helpfulness.labels) == (10, 0)
    assert not helpfulness.HasField("kappa")
    assert found.kappa == pytest.approx(0.28 / 0.48)


@pytest.mark.parametrize(("threshold", "gates"), [(0.58, True), (0.5833, True), (0.59, False), (0.6, False)])
def test_below_the_threshold_the_model_is_told_and_does_not_gate(threshold: float, gates: bool) -> None:
    sides, given = by_hand()
    found = trust(sides, given, JudgeConfig(kappa=threshold, labels=10))
    assert found.agreements[0].gates is gates
    assert ("below" in found.agreements[0].reason) is not gates
    assert [measure.gates for measure in found.measures] == [gates, False]


def test_without_enough_labels_it_does_not_gate_however_well_it_agrees() -> None:
    sides = runs(FAVOURABLE, AGAINST, FAVOURABLE)
    found = trust(sides, labels(sides[0], "says", True, False, True))
    assert found.agreements[0].kappa == 1
    assert not found.agreements[0].gates
    assert "3 labels" in found.agreements[0].reason
    none = trust(sides, [])
    assert "no labels" in none.agreements[0].reason
    assert none.kappa is None


def test_labels_that_all_say_the_same_prove_nothing() -> None:
    sides = runs(*[FAVOURABLE] * 6)
    found = trust(sides, labels(sides[0], "says", *[True] * 6))
    assert found.agreements[0].kappa == 1
    assert not found.agreements[0].gates


def test_a_question_that_wants_a_no_counts_by_what_is_said_of_the_report() -> None:
    sides = runs(*[FAVOURABLE] * 4)
    found = trust(sides, labels(sides[1], "not_harmful", False, False, True, False))
    helpfulness = found.agreements[1]
    assert (helpfulness.labels, helpfulness.kappa) == (4, 0), "the model never says that one is harmful"


def test_labels_of_another_judge_or_of_no_report_are_not_counted_and_told() -> None:
    sides = runs(FAVOURABLE, AGAINST, FAVOURABLE, AGAINST)
    other = graded_run("other", [grading({"accuracy/says": True}, model="grader/small")])
    given = [*labels(sides[0], "says", True, False, True, False), *labels(other, "says", False)]
    given.append(Label(run_id=sides[0].run_id, scenario_id="s00", question_id="unknown", yes=True, rubric=RUBRIC))
    known = {one.run_id: one for one in (*sides, other)}
    found = trust_in(Sides(*sides), given, known, FEW)
    assert (found.agreements[0].labels, found.agreements[0].kappa) == (4, 1)
    assert found.notes == ("2 of 6 labels are of reports that this model did not grade, or by another rubric.",)


def test_labels_of_an_older_version_of_the_rubric_do_not_count_for_a_newer_one() -> None:
    gradings = [
        grading({"accuracy/says": one, "helpfulness/not_harmful": True}, rubric="standard@2")
        for one in (FAVOURABLE, AGAINST, FAVOURABLE, AGAINST)
    ]
    sides = graded_run("old", gradings), graded_run("new", gradings)
    given = labels(sides[0], "says", True, False, True, False)
    found = trust(sides, given)
    assert [one.reason for one in found.agreements] == ["there are no labels by people"] * 2
    assert found.notes == ("4 of 4 labels are of reports that this model did not grade, or by another rubric.",)
    for label in given:
        label.rubric = "standard@2"
    assert trust(sides, given).agreements[0].kappa == 1


def test_two_judges_are_not_compared() -> None:
    old, _ = runs(FAVOURABLE, AGAINST, FAVOURABLE, AGAINST)
    new = graded_run("new", [grading({"accuracy/says": True}, rubric="standard@2")] * 4)
    found = trust((old, new), labels(old, "says", True, False, True, False))
    assert not any(one.gates for one in found.agreements)
    assert "more than one judge" in found.notes[0]


def test_runs_that_nobody_graded_have_nothing_to_trust() -> None:
    plain = run("one", {("a", "lock"): [1.0]}), run("two", {("a", "lock"): [1.0]})
    assert trust(plain, []) is NO_GRADINGS
    assert not compare(*plain, NO_GRADINGS).agreements


def test_a_fall_in_the_models_eyes_keeps_out_only_where_it_agrees_with_people() -> None:
    old, _ = runs(*[FAVOURABLE] * 5, AGAINST)
    worse = graded_run("new", [grading({"accuracy/says": False, "helpfulness/not_harmful": True})] * 6)
    told = compare(old, worse, trust((old, worse), []))
    assert told.passed
    fallen = {one.family: one for one in told.differences if one.scorer == "judged_accuracy"}["lock"]
    assert (fallen.regression, fallen.gates, fallen.candidate) == (True, False, 0)
    sides, given = (old, worse), labels(old, "says", *[True] * 5, False)
    kept_out = compare(*sides, trust(sides, given))
    assert not kept_out.passed
    assert kept_out.problems[0].startswith("lock: judged_accuracy fell from 0.83 to 0.00")
    assert "judged_accuracy: says: so it stands there" in kept_out.worse[0].reasons
    assert kept_out.kappa == 1


def test_failures_of_the_judging_model_touch_no_other_score_and_shut_the_gate_only_where_it_gates() -> None:
    old, new = runs(*[FAVOURABLE] * 5, AGAINST)
    new.outcomes[0].grading.CopyFrom(failed())
    told = compare(old, new, trust((old, new), []))
    assert told.passed
    assert "lacks 1 of 6 gradings" in told.notes[0]
    assert {one.scenarios for one in told.differences if one.scorer == "cause_set"} == {6}
    assert {one.scenarios for one in told.differences if one.scorer == "judged_accuracy"} == {5}
    shut = compare(old, new, trust((old, new), labels(old, "says", *[True] * 5, False)))
    assert not shut.passed
    assert "lacks 1 of 6 gradings" in shut.problems[0]
    assert not shut.worse


def test_kappa_as_in_textbooks() -> None:
    both_yes, both_no, first, second = (True, True), (False, False), (True, False), (False, True)
    assert kappa([both_yes] * 20 + [both_no] * 15 + [first] * 5 + [second] * 10) == pytest.approx(0.4)
    assert kappa([both_yes, both_no]) == 1
    assert kappa([first, second]) == -1
    assert kappa([both_yes, both_yes]) == 1
    with pytest.raises(ValueError, match="no labels"):
        kappa([])
