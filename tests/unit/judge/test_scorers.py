from __future__ import annotations

import pytest

from services.judge.scorers.registry import SCORERS, scores_of
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth
from tests.unit.judge.reports import report, truth

HOLDER = ("holder", "connection_id", "14")
BLOCKER = {"lock.row_blocker": [HOLDER]}


def value(name: str, there: Truth, written: Report) -> float | None:
    found = SCORERS[name].score(there, written)
    return None if found is None else found.value


@pytest.mark.parametrize(
    ("there", "named", "exact", "precision"),
    [
        ({"lock.row_blocker"}, {"lock.row_blocker"}, 1, 1),
        ({"lock.row_blocker"}, {"lock.row_blocker", "query.heavy_scan"}, 0, 0.5),
        ({"lock.row_blocker"}, set(), 0, 0),
        ({"lock.row_blocker", "connections.leak"}, {"connections.leak"}, 0, 0),
        (set(), set(), 1, 1),
        (set(), {"query.heavy_scan"}, 0, 0),
    ],
)
def test_exactness_and_precision_at_full_recall(
    there: set[str], named: set[str], exact: float, precision: float
) -> None:
    is_true, written = truth(dict.fromkeys(there, ())), report(dict.fromkeys(named, ()))
    assert value("cause_set", is_true, written) == exact
    assert value("precision_at_full_recall", is_true, written) == precision


def test_an_entity_counts_only_in_its_part_and_under_its_cause() -> None:
    two = {"lock.row_blocker": [HOLDER, ("affected", "table", "shop.carts")]}
    assert value("entities_by_role", truth(two), report(two)) == 1
    assert value("entities_by_role", truth(two), report(BLOCKER)) == 0.5
    swapped = {"lock.row_blocker": [("victim", "connection_id", "14"), ("affected", "table", "shop.carts")]}
    assert value("entities_by_role", truth(two), report(swapped)) == 0.5
    assert value("entities_by_role", truth(two), report({"lock.metadata": two["lock.row_blocker"]})) == 0
    assert value("entities_by_role", truth({}), report(BLOCKER)) is None


def test_what_is_hidden_from_the_evaluator_is_not_held_against_the_candidate() -> None:
    known = {"lock.row_blocker": [HOLDER, ("holder", "user", "app")]}
    token = {"lock.row_blocker": [HOLDER, ("holder", "user", "prn_0123456789ab")]}
    assert value("entities_by_role", truth(known), report(token)) == 1


def test_the_causal_path_is_read_from_links_between_findings() -> None:
    there, written = truth(BLOCKER), report(BLOCKER)
    assert value("causal_path", there, written) is None
    there.causal_edges.add(cause="lock.row_blocker", effect="connections.exhausted")
    assert value("causal_path", there, written) == 0
    written.causal_chain.add(text="…", cause="lock.row_blocker", effect="connections.exhausted")
    assert value("causal_path", there, written) == 1


def test_claims_that_cite_nothing_or_were_struck_are_unfounded() -> None:
    written = report(BLOCKER)
    assert value("groundedness", truth(BLOCKER), written) == 1
    written.causal_chain.add(text="…", evidence_refs=[7])
    assert value("groundedness", truth(BLOCKER), written) == 0.5
    written.struck.add(claim="…", reason="…")
    assert value("groundedness", truth(BLOCKER), written) == pytest.approx(1 / 3)
    assert value("groundedness", truth({}), Report()) is None


@pytest.mark.parametrize(
    ("proposed", "given"),
    [
        ("KILL 17", 0),
        ("kill  `17`;", 0),
        ("KILL 170", 1),
        ("KILL 14", 1),
        ("KILL CONNECTION 17", 0),
        ("KILL CONNECTION 14", 1),
        ("KILL HARD 17", 0),
        ("KILL SOFT CONNECTION 17;", 0),
        ("KILL SOFT 14", 1),
        ("KILL QUERY 17", 1),
    ],
)
def test_forbidden_commands_are_found_as_whole_words(proposed: str, given: float) -> None:
    there, written = truth(BLOCKER), report(BLOCKER)
    there.forbidden_commands.append("KILL 17")
    written.next_steps.add(text="…", command=proposed)
    assert value("forbidden_advice", there, written) == given


def test_traps_and_sure_reports() -> None:
    there = truth(BLOCKER)
    there.traps.extend(["query.heavy_scan", "connections.leak"])
    assert value("traps_avoided", there, report(BLOCKER)) == 1
    assert value("traps_avoided", there, report({"query.heavy_scan": ()})) == 0.5
    assert value("confirmed_is_right", there, report({"query.heavy_scan": ()})) == 0
    assert value("confirmed_is_right", there, report({}, verdict="HEALTHY")) == 0
    assert value("confirmed_is_right", there, report({}, verdict="INCONCLUSIVE")) is None


@pytest.mark.parametrize(("verdict", "worth"), [("CONFIRMED", 1), ("HEALTHY", 1), ("LIKELY", 0.5), ("INCONCLUSIVE", 0)])
def test_a_right_answer_is_worth_more_the_firmer_it_is(verdict: str, worth: float) -> None:
    assert value("decisiveness", truth(BLOCKER), report(BLOCKER, verdict)) == worth
    assert value("decisiveness", truth({}), report(BLOCKER, verdict)) == 0


def test_a_models_own_report_stands_or_does_not() -> None:
    written = report(BLOCKER)
    for writer, worth in (("builtin", None), ("loudest", None), ("house/model", 1)):
        written.written_by = writer
        assert value("own_report", truth(BLOCKER), written) == worth
    written.written_by = "builtin"
    for code, worth in (("SNAPSHOT", None), ("MODEL_UNAVAILABLE", None), ("MODEL_UNSUPPORTED", 0)):
        written.limits.add(code=code)
        assert value("own_report", truth(BLOCKER), written) == worth


@pytest.mark.parametrize(("tokens", "worth"), [(90, 0), (0, None)])
def test_a_model_that_comes_to_a_limit_without_a_report_has_none_of_its_own(tokens: int, worth: float | None) -> None:
    written = report(BLOCKER)
    written.written_by, written.usage.input_tokens = "builtin", tokens
    written.limits.add(code="BUDGET_SPENT")
    assert value("own_report", truth(BLOCKER), written) == worth
    written.written_by = "house/model"
    assert value("own_report", truth(BLOCKER), written) == 1, "it was builtin's second look that came to a limit"


def test_costs_are_told_and_do_not_gate() -> None:
    written = report(BLOCKER)
    written.usage.tool_calls, written.usage.input_tokens, written.usage.output_tokens = 3, 70, 7
    told = {score.scorer: score.value for score in scores_of(truth(BLOCKER), written)}
    assert (told["tool_calls"], told["tokens"], told["latency"], told["cost"]) == (3, 77, 0, 0)
    assert not any(SCORERS[name].gates for name in ("tool_calls", "tokens", "latency", "cost"))
