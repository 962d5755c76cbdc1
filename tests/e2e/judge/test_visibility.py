"""Who sees what of scenarios, runs, outcomes and transcripts: what they may read the world of, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from libs.client import CallError
from storex.judge.v1.judge_pb2 import (
    CompareRunsRequest,
    GetRunRequest,
    ListRunsRequest,
    ListScenariosRequest,
    PutScenarioRequest,
    RunCandidateRequest,
)
from tests.e2e.command import until
from tests.e2e.judge.conftest import BUILTIN, JudgeMesh

pytestmark = [pytest.mark.engine, pytest.mark.slow]

DENIED = {
    "the snapshots": "p, user:both, instance=payments-1, snapshot.read, public, never, deny\n",
    "everything": "p, user:both, instance=payments-1, *, public, never, deny\n",
}


@pytest.fixture
def scenarios(judged: JudgeMesh) -> tuple[list[str], list[str]]:
    """Scenarios of the payments' world, and of the users'."""
    return judged.copies("lock.row_blocker", "of-payments", 2), judged.copies("query.missing_index", "of-users", 2)


@contextmanager
def rule(judged: JudgeMesh, text: str) -> Iterator[None]:
    path = judged.policy / "taken.csv"
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink()


def refused(judged: JudgeMesh, user: str, run_id: str) -> str:
    with judged.client(user) as client, pytest.raises(CallError) as error:
        client.call(client.judge.GetRun, GetRunRequest(run_id=run_id))
    return error.value.reason


def test_teams_see_the_scenarios_of_their_own_worlds(judged: JudgeMesh, scenarios: tuple[list[str], list[str]]) -> None:
    payments, users = map(set, scenarios)
    assert judged.seen("paula") & (payments | users) == payments
    assert judged.seen("ursula") & (payments | users) == users
    assert judged.seen("both") >= payments | users
    for user, own in (("paula", payments), ("ursula", users)):
        run = judged.run([], user=user)
        assert own <= set(run.scenario_ids)
        assert not set(run.scenario_ids) & ((payments | users) - own)
        for other in (payments | users) - own:
            with pytest.raises(CallError) as error:
                judged.run([other], user=user)
            assert error.value.reason == "SCENARIO_NOT_FOUND"


def test_roles_that_may_not_evaluate_see_nothing(judged: JudgeMesh, scenarios: tuple[list[str], list[str]]) -> None:
    run = judged.run(scenarios[0])
    for user in ("oncall", "viewer"):
        with judged.client(user) as client:
            calls: tuple[tuple[Any, Any], ...] = (
                (client.judge.ListScenarios, ListScenariosRequest()),
                (client.judge.ListRuns, ListRunsRequest()),
                (client.judge.GetRun, GetRunRequest(run_id=run.run_id)),
                (client.judge.CompareRuns, CompareRunsRequest(baseline_run_id=run.run_id)),
                (client.judge.PutScenario, PutScenarioRequest(scenario=judged.scenario("lock.row_blocker", "mine"))),
            )
            for method, request in calls:
                with pytest.raises(CallError) as error:
                    client.call(method, request)
                assert error.value.reason == "RPC_NOT_PERMITTED"
            with pytest.raises(CallError) as error:
                list(client.stream(client.judge.RunCandidate, RunCandidateRequest(candidate=BUILTIN)))
            assert error.value.reason == "RPC_NOT_PERMITTED"


def test_a_run_is_its_owners_alone(judged: JudgeMesh, scenarios: tuple[list[str], list[str]]) -> None:
    run = judged.run(scenarios[0], user="paula")
    for user in ("both", "ursula", "admin"):
        assert refused(judged, user, run.run_id) == "RUN_NOT_FOUND"
        with judged.client(user) as client:
            mine = client.call(client.judge.ListRuns, ListRunsRequest(page_size=500)).runs
        assert run.run_id not in {one.run_id for one in mine}


def test_names_in_outcomes_are_tokens_to_whom_they_are_in_the_world(
    judged: JudgeMesh, scenarios: tuple[list[str], list[str]]
) -> None:
    clear = judged.run(scenarios[0][:1], user="admin")
    hidden = judged.run(scenarios[0][:1], user="paula")
    assert "reconciliation-job" in str(clear.outcomes[0])
    assert "reconciliation-job" not in str(hidden.outcomes[0])
    assert "payments_app" not in str(hidden.outcomes[0])


def test_a_scenario_is_not_replaced_by_whoever_cannot_see_it(
    judged: JudgeMesh, scenarios: tuple[list[str], list[str]]
) -> None:
    theirs = judged.scenario("query.missing_index", scenarios[0][0])
    with judged.client("ursula") as client, pytest.raises(CallError) as error:
        client.call(client.judge.PutScenario, PutScenarioRequest(scenario=theirs))
    assert error.value.reason == "RESOURCE_NOT_FOUND"
    assert scenarios[0][0] in judged.seen("paula")


@pytest.mark.parametrize("taken", list(DENIED))
def test_a_grant_that_is_taken_away_takes_all_that_was_seen_by_it(
    judged: JudgeMesh, scenarios: tuple[list[str], list[str]], taken: str
) -> None:
    payments, users = scenarios
    run = judged.run([*payments, *users], user="both")
    assert len(run.outcomes) == 4
    with rule(judged, DENIED[taken]):
        until(lambda: not judged.seen("both") & set(payments))
        assert judged.seen("both") >= set(users)
        left = judged.get(run.run_id, "both")
        with judged.client("both") as client:
            listed = client.call(client.judge.ListRuns, ListRunsRequest(page_size=500)).runs
            resumed = list(client.stream(client.judge.RunCandidate, RunCandidateRequest(run_id=run.run_id)))
        assert {outcome.scenario_id for outcome in left.outcomes} == set(users)
        for shown in (left, *listed, *(message.run for message in resumed)):
            assert not any(name in str(shown) for name in payments)
        assert all("worlds that cannot be read now" in problem for problem in judged.problems(run, run, "both"))
        assert judged.problems(run, run, "both")
    until(lambda: judged.seen("both") >= set(payments))
    assert judged.get(run.run_id, "both") == run
