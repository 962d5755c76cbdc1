"""A judge that is killed in the middle of a run, and goes on with it."""

from __future__ import annotations

import itertools
import os
import signal

import pytest

from libs.client import CallError
from storex.agent.v1.agent_pb2 import ListSessionsRequest
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run, RunCandidateRequest
from tests.e2e.command import until
from tests.e2e.judge.conftest import BUILTIN, JudgeMesh

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PARALLEL, REPEATS, SCENARIOS, BEFORE_THE_KILL = 3, 4, 6, 7


def asked(judged: JudgeMesh) -> int:
    """How many questions the agent has been asked: each replay is a session of its own."""
    with judged.client() as client:
        page = client.call(client.agent.ListSessions, ListSessionsRequest(page_size=500))
    assert not page.next_page_token
    return len(page.sessions)


def unit_of(outcome: Outcome) -> tuple[str, int]:
    return outcome.scenario_id, outcome.repeat


def by_unit(run: Run) -> dict[tuple[str, int], Outcome]:
    found = {unit_of(outcome): outcome for outcome in run.outcomes}
    assert len(found) == len(run.outcomes), "no replay stands there twice"
    return found


def test_a_killed_judge_repeats_nothing_and_loses_nothing(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "killed", SCENARIOS // 2)
    ids += judged.copies("query.missing_index", "killed-too", SCENARIOS // 2)
    before = asked(judged)
    request = RunCandidateRequest(candidate=BUILTIN, scenario_ids=ids, repeats=REPEATS, parallel=PARALLEL)
    with judged.client() as client:
        stream = client.stream(client.judge.RunCandidate, request)
        run_id = next(stream).run.run_id
        told = [unit_of(message.outcome) for message in itertools.islice(stream, BEFORE_THE_KILL)]
        os.kill(judged.service("judge").pid or 0, signal.SIGKILL)
        with pytest.raises(CallError) as ended:
            told.extend(unit_of(message.outcome) for message in stream)
    assert ended.value.reason == "JUDGE_UNAVAILABLE"
    assert ended.value.retry_seconds
    until(lambda: judged.service("judge").restarts and judged.answers())

    kept = by_unit(judged.get(run_id))
    assert set(told) <= set(kept), "what was told is on the disk"
    assert len(kept) < SCENARIOS * REPEATS, "it was killed in the middle"
    resumed = judged.storex.run("judge", "run", run_id)
    assert resumed.status == 0, resumed.stderr
    whole = judged.get(run_id)
    outcomes = by_unit(whole)
    assert set(outcomes) == {(scenario_id, repeat) for scenario_id in ids for repeat in range(REPEATS)}
    assert {outcome.status for outcome in outcomes.values()} == {OUTCOME_STATUS_SCORED}
    assert whole.done == whole.planned == SCENARIOS * REPEATS
    assert {unit: outcomes[unit] for unit in kept} == kept, "what was done was not done again"
    # Only what was under way when it died is asked twice: it had not been answered for.
    assert whole.planned <= asked(judged) - before <= whole.planned + PARALLEL
    assert not judged.problems(whole, whole)


def test_a_run_that_is_over_asks_nothing_when_it_goes_on(judged: JudgeMesh) -> None:
    run = judged.run(judged.copies("lock.row_blocker", "over", 2))
    before = asked(judged)
    assert judged.storex.run("judge", "run", run.run_id).status == 0
    assert asked(judged) == before
    assert judged.get(run.run_id) == run
