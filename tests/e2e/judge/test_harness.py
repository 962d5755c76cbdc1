"""What goes wrong around a candidate is an error of the harness: it shuts the gate, and is never a wrong answer."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from libs.client import CallError
from storex.agent.v1.candidate_pb2 import Candidate
from storex.judge.v1.judge_pb2 import (
    OUTCOME_STATUS_HARNESS_ERROR,
    OUTCOME_STATUS_SCORED,
    GetRunRequest,
    Run,
    RunCandidateRequest,
)
from tests.e2e.command import until
from tests.e2e.judge.conftest import BUILTIN, JudgeMesh
from tests.integration.llm.scripted_server import calls

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@contextmanager
def silent(judged: JudgeMesh, service: str) -> Iterator[None]:
    """A service that hangs: its connections stand, and nobody answers."""
    pid = judged.service(service).pid or 0
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def broken(run: Run) -> dict[str, str]:
    """What went wrong with the harness, by scenario; nothing of it has a score or a report."""
    failed = [outcome for outcome in run.outcomes if outcome.status == OUTCOME_STATUS_HARNESS_ERROR]
    assert not any(outcome.scores or outcome.HasField("report") for outcome in failed)
    return {outcome.scenario_id: outcome.problem for outcome in failed}


def test_a_region_that_falls_silent_is_no_wrong_answer_and_is_made_up_for(judged: JudgeMesh) -> None:
    away = judged.copies("query.missing_index", "away", 2)
    here = judged.copies("lock.row_blocker", "here", 2)
    good = judged.run([*away, *here])
    request = RunCandidateRequest(candidate=BUILTIN, scenario_ids=[*away, *here], parallel=4)
    with judged.client() as client:
        stream = client.stream(client.judge.RunCandidate, request, seconds=300)
        run_id = next(stream).run.run_id
        with silent(judged, "shard-eu-central-1"):
            list(stream)
            with judged.client() as other:
                begun = time.monotonic()
                left = other.call(other.judge.GetRun, GetRunRequest(run_id=run_id), seconds=30).run
                assert time.monotonic() - begun < 15
            assert {outcome.scenario_id for outcome in left.outcomes} <= set(here), "what cannot be decided is hidden"
    until(lambda: judged.seen("admin") >= {*away, *here})
    run = judged.get(run_id)
    problems = broken(run)
    assert set(problems) <= set(away)
    if problems:  # those that were not answered before the region fell silent
        assert any("harness error" in problem for problem in judged.problems(good, run))
    assert not [
        one for outcome in run.outcomes for one in outcome.scores if one.scorer == "cause_set" and one.value < 1
    ]
    judged.storex.run("judge", "run", run_id)
    assert not judged.problems(good, judged.get(run_id))


def test_a_token_that_runs_out_ends_the_run_and_spoils_nothing(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "token", 4)
    request = RunCandidateRequest(candidate=BUILTIN, scenario_ids=ids, repeats=20, parallel=1)
    with judged.client("paula", seconds=3.0) as client:
        stream = client.stream(client.judge.RunCandidate, request)
        run_id = next(stream).run.run_id
        with pytest.raises(CallError) as ended:
            list(stream)
    assert ended.value.reason == "TOKEN_EXPIRED"
    cut = judged.get(run_id, "paula")
    assert cut.done < cut.planned
    assert all("TOKEN_EXPIRED" in problem for problem in broken(cut).values())
    assert judged.storex.run("judge", "run", run_id, "--as", "paula", "--parallel", "4").status == 0
    whole = judged.get(run_id, "paula")
    assert {outcome.status for outcome in whole.outcomes} == {OUTCOME_STATUS_SCORED}
    assert len(whole.outcomes) == whole.planned == 80
    assert {score.value for outcome in whole.outcomes for score in outcome.scores if score.scorer == "cause_set"} == {1}


def test_a_killed_agent_is_no_wrong_answer_and_is_made_up_for(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "agent", 4)
    good = judged.run(ids, repeats=3)
    request = RunCandidateRequest(candidate=BUILTIN, scenario_ids=ids, repeats=3, parallel=2)
    run_id, killed = "", 0
    with judged.client() as client:
        for message in client.stream(client.judge.RunCandidate, request):
            run_id = message.run.run_id
            if message.run.done == 2 and not killed:
                killed = judged.service("agent").pid or 0
                os.kill(killed, signal.SIGKILL)
    run = judged.get(run_id)
    problems = broken(run)
    assert problems
    assert len(run.outcomes) == run.planned, "each replay is there, as an error where it failed"
    assert all("AGENT_UNAVAILABLE" in problem or "INTERNAL" in problem for problem in problems.values())
    [told] = judged.problems(good, run)
    assert "harness errors" in told
    assert run_id in told

    def gone_on() -> bool:
        return judged.storex.run("judge", "run", run_id).status == 0 and not judged.problems(good, judged.get(run_id))

    until(gone_on)


def test_a_model_that_cannot_be_reached_has_said_nothing_wrong(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "nobody", 1)
    run = judged.run(ids, Candidate(name="nobody", reasoner="nobody"))
    assert "MODEL_UNAVAILABLE" in broken(run)[ids[0]]
    assert any("harness errors" in problem for problem in judged.problems(judged.run(ids), run))


def test_a_model_whose_report_did_not_stand_is_scored_for_that(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "own", 1)
    model = Candidate(name="model", reasoner="scripted")
    good = judged.run(ids, model)
    assert not broken(good)
    assert {score.scorer: score.value for score in good.outcomes[0].scores}["own_report"] == 1
    with judged.model.doing(lambda _: calls(("submit_report", {"answer": "All is well.", "root_causes": []}))):
        wrong = judged.run(ids, model)
    assert not broken(wrong)
    assert {score.scorer: score.value for score in wrong.outcomes[0].scores}["own_report"] == 0
    assert [problem.partition(" fell")[0] for problem in judged.problems(good, wrong)] == ["lock: own_report"]


def test_a_candidate_that_asks_about_what_there_is_not_made_its_own_mistake(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "strange", 1)

    def strays(request: dict[str, Any]) -> Any:
        if not any(message["role"] == "tool" for message in request["messages"]):
            name = "regions/eu-west-1/instances/no-such"
            return calls(("get_overview", {"name": name}))
        return calls(("submit_report", {"answer": "All is well.", "root_causes": []}))

    with judged.model.doing(strays):
        run = judged.run(ids, Candidate(name="model", reasoner="scripted"))
    assert any("no-such" in line and "DENIED" in line for line in run.outcomes[0].transcript)
    assert run.outcomes[0].status == OUTCOME_STATUS_SCORED
