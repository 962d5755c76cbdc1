from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.judge.comparison.compare import compare
from services.judge.comparison.noise import Pair, difference
from storex.judge.v1.judge_pb2 import Run
from tests.unit.judge.reports import run

LOCKS = {("a", "locks"): [1.0], ("b", "locks"): [1.0], ("c", "queries"): [1.0]}


def test_a_run_passes_beside_itself() -> None:
    same = compare(run("one", LOCKS), run("two", LOCKS))
    assert same.passed
    assert not same.problems
    assert {found.family for found in same.differences} == {"", "locks", "queries"}


def test_a_fall_of_one_family_is_told_by_its_name_though_another_rises() -> None:
    before = {("a", "locks"): [1.0], ("b", "locks"): [1.0], ("c", "queries"): [0.0], ("d", "queries"): [0.0]}
    after = {("a", "locks"): [1.0], ("b", "locks"): [0.0], ("c", "queries"): [1.0], ("d", "queries"): [1.0]}
    found = compare(run("one", before), run("two", after))
    assert not found.passed
    assert [problem.partition(":")[0] for problem in found.problems] == ["locks"]
    first = found.differences[0]
    assert (first.family, first.regression, first.baseline, first.candidate) == ("locks", True, 1.0, 0.5)
    assert [(worse.scenario_id, list(worse.reasons)) for worse in found.worse] == [("b", ["cause_set: not right"])]
    assert list(found.worse[0].baseline_transcript) == ["one looked"]
    assert list(found.worse[0].candidate_transcript) == ["two looked"]


def test_a_family_that_cannot_fall_is_told_and_passes() -> None:
    blind = {("a", "locks"): [1.0], ("c", "queries"): [0.0]}
    found = compare(run("one", blind), run("two", blind))
    assert found.passed
    [note] = found.notes
    assert note.startswith("queries: the baseline is right in none of 1 scenario")


def test_noise_is_spoken_of_only_where_it_was_measured() -> None:
    alone = compare(run("one", {("a", "locks"): [1.0]}), run("two", {("a", "locks"): [0.0]}))
    assert alone.problems[0] == "locks: cause_set fell from 1.00 to 0.00 over 1 scenario."
    several = compare(run("one", {("a", "locks"): [1, 1, 1, 1]}), run("two", {("a", "locks"): [0, 1, 0, 0]}))
    assert "beyond noise" in several.problems[0]


def test_a_fall_within_the_noise_of_repeats_does_not_keep_a_candidate_out() -> None:
    before = run("one", {("a", "locks"): [1, 0, 1, 0, 1, 1], ("b", "locks"): [1, 1, 0, 1, 1, 0]})
    after = run("two", {("a", "locks"): [1, 0, 0, 1, 1, 0], ("b", "locks"): [1, 1, 0, 1, 0, 1]})
    assert compare(before, after).passed
    lost = run("two", {("a", "locks"): [0, 0, 0, 0, 0, 0], ("b", "locks"): [0, 0, 1, 0, 0, 0]})
    assert not compare(before, lost).passed


def test_of_a_worse_scenario_the_best_and_the_worst_repeat_are_shown() -> None:
    before = run("one", {("a", "locks"): [0, 1, 1, 1, 1, 1]})
    after = run("two", {("a", "locks"): [1, 0, 0, 0, 0, 0]})
    for made in (before, after):
        for outcome in made.outcomes:
            outcome.transcript[0] = f"repeat {outcome.repeat}"
    [worse] = compare(before, after).worse
    assert (list(worse.baseline_transcript), list(worse.candidate_transcript)) == (["repeat 1"], ["repeat 1"])


def test_answers_that_differ_need_repeats() -> None:
    found = compare(run("one", {("a", "locks"): [1, 0]}), run("two", {("a", "locks"): [1, 1]}))
    assert not found.passed
    assert "repeats" in found.problems[0]


def test_harness_errors_shut_the_gate_and_are_no_wrong_answers() -> None:
    found = compare(run("one", LOCKS), run("two", {**LOCKS, ("a", "locks"): [None]}))
    assert not found.passed
    assert "harness" in found.problems[0]
    assert "run-two" in found.problems[0]
    assert not found.worse
    assert not any(one.regression for one in found.differences)


def test_empty_short_uncaptured_and_unequal_runs_prove_nothing() -> None:
    empty = compare(run("one", LOCKS), run("two", {}))
    assert any("empty" in problem for problem in empty.problems)
    short = run("two", LOCKS)
    del short.outcomes[0]
    assert any("short" in problem for problem in compare(run("one", LOCKS), short).problems)
    hidden = run("two", LOCKS)
    del hidden.scenario_ids[0], hidden.outcomes[0]
    assert ["cannot be read now" in problem for problem in compare(hidden, hidden).problems] == [True, True]
    blind = run("two", LOCKS)
    for outcome in blind.outcomes:
        outcome.not_captured = 2
    assert any("do not hold" in problem for problem in compare(run("one", LOCKS), blind).problems)
    idle = run("two", LOCKS)
    for outcome in idle.outcomes:
        outcome.tool_calls = 0
    assert any("no tool call" in problem for problem in compare(run("one", LOCKS), idle).problems)
    other = compare(run("one", LOCKS), run("two", {("z", "locks"): [1.0]}))
    assert any("different scenarios" in problem for problem in other.problems)


def test_dearer_is_told_and_passes() -> None:
    before, after = run("one", LOCKS), run("two", LOCKS)
    for made, calls in ((before, 3), (after, 9)):
        for outcome in made.outcomes:
            outcome.scores.add(scorer="tool_calls", value=calls)
    found = compare(before, after)
    assert found.passed
    dearer = [one for one in found.differences if one.scorer == "tool_calls" and not one.family]
    assert [(one.regression, one.gates, one.candidate) for one in dearer] == [(True, False, 9)]


VALUES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=6).map(tuple)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.builds(Pair, VALUES, VALUES), min_size=1, max_size=5))
def test_the_interval_holds_the_mean_and_has_no_width_without_variation(pairs: list[Pair]) -> None:
    found = difference(pairs)
    assert found.low - 1e-9 <= found.mean <= found.high + 1e-9
    if not any(pair.varies for pair in pairs):
        assert found.low == found.mean == found.high


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        difference([])


def test_a_gating_score_that_one_side_lacks_shuts_the_gate() -> None:
    before, after = run("one", LOCKS), run("two", LOCKS)
    for outcome in before.outcomes:
        outcome.scores.add(scorer="forbidden_advice", value=1)
    for sides in ((before, after), (after, before)):
        found = compare(*sides)
        assert not found.passed
        assert "forbidden_advice" in found.problems[0]
        assert "3 scenarios" in found.problems[0]
    for outcome in before.outcomes:
        outcome.scores[-1].scorer = "confirmed_is_right"
    assert compare(before, after).passed, "what a report is unsure of is no score that it lacks"


def own_reports(name: str, reasoner: str, *values: float | None) -> Run:
    made = run(name, LOCKS)
    made.candidate.reasoner = reasoner
    for outcome, value in zip(made.outcomes, values, strict=False):
        if value is not None:
            outcome.scores.add(scorer="own_report", value=value)
    return made


@pytest.mark.parametrize(
    ("before", "after", "passed"),
    [
        (("builtin",), ("house", 1, 1, 1), True),
        (("",), ("house", 1, 1, 1), True),
        (("house", 1, 1, 1), ("house", 1, 1, 1), True),
        (("house", 1, 1, 1), ("house",), False),
        (("", 1, 1, 1), ("", 1, 1, None), False),
        (("house", 1, 1, 1), ("house", 1, 0, 1), False),
    ],
)
def test_only_where_nobody_was_asked_there_may_be_no_own_report(
    before: tuple[Any, ...], after: tuple[Any, ...], passed: bool
) -> None:
    assert compare(own_reports("one", *before), own_reports("two", *after)).passed is passed
