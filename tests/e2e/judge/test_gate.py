"""Runs that prove nothing: the gate stays shut, and says why."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from libs.client import CallError
from storex.agent.v1.candidate_pb2 import Candidate
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_HARNESS_ERROR, Run, RunCandidateRequest
from storex.snapshot.v1.snapshot_pb2 import DeleteSnapshotRequest
from tests.e2e.judge.conftest import BUILTIN, PAYMENTS, JudgeMesh
from tests.e2e.judge.model import reads_and_reports
from tests.integration.llm.scripted_server import calls

pytestmark = [pytest.mark.engine, pytest.mark.slow]


def left_after(judged: JudgeMesh, ids: list[str], outcomes: int) -> Run:
    """A run whose caller leaves after so many outcomes."""
    request = RunCandidateRequest(candidate=BUILTIN, scenario_ids=ids, repeats=10, parallel=1)
    with judged.client() as client:
        stream = client.stream(client.judge.RunCandidate, request)
        for message in stream:
            if message.run.done == outcomes:
                break
        stream.close()
    return judged.get(message.run.run_id)


def test_empty_and_short_runs(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "short", 1)
    good = judged.run(ids)
    for outcomes, word in ((0, "run is empty"), (1, "run is short")):
        run = left_after(judged, ids, outcomes)
        assert len(run.outcomes) < run.planned
        assert any(f"The candidate's {word}" in problem for problem in judged.problems(good, run))
        assert any(f"The baseline's {word}" in problem for problem in judged.problems(run, good))
    assert any(f"Go on with it by its run id, {run.run_id}" in problem for problem in judged.problems(good, run))
    gate = judged.storex.run("judge", "gate", "--baseline", good.run_id, "--candidate", good.run_id)
    assert gate.status == 0, gate.stderr


def test_a_run_over_worlds_that_lack_what_is_asked_of_them(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "lacking", 1)

    def asks_for_what_there_is_not(request: dict[str, Any]) -> Any:
        if any(message["role"] == "tool" for message in request["messages"]):
            return reads_and_reports({"messages": [*request["messages"][:1], *request["messages"]]})
        past = [("list_past_sessions", {"name": PAYMENTS, "except_session": f"ses_{place}"}) for place in range(4)]
        return calls(("get_health", {"name": PAYMENTS}), *past)

    with judged.model.doing(asks_for_what_there_is_not):
        run = judged.run(ids, Candidate(name="model", reasoner="scripted"))
    assert run.outcomes[0].not_captured == 4
    [told] = [problem for problem in judged.problems(judged.run(ids), run) if "do not hold" in problem]
    assert told.startswith(f"The candidate asked for what the worlds do not hold in 4 of {run.outcomes[0].tool_calls}")


def test_a_world_that_was_shredded_is_gone_with_all_that_was_made_of_it(judged: JudgeMesh, tmp_path: Path) -> None:
    stays = judged.copies("lock.row_blocker", "stays", 1)
    world = judged.snapshot(PAYMENTS)
    [gone] = judged.put(judged.scenario("healthy", "gone", world))
    run = judged.run([*stays, gone])
    copy = tmp_path / "copy.world"
    assert judged.storex.run("snapshot", "export", world, "-o", str(copy)).status == 0
    request = RunCandidateRequest(candidate=BUILTIN, scenario_ids=[gone], repeats=5, parallel=1)
    with judged.client() as client:
        for message in client.stream(client.judge.RunCandidate, request):
            if message.run.done == 1 and not message.outcome.problem:
                client.call(client.snapshots.DeleteSnapshot, DeleteSnapshotRequest(name=world))
    assert message.outcome.status == OUTCOME_STATUS_HARNESS_ERROR
    assert "SNAPSHOT_KEY_DESTROYED" in message.outcome.problem
    assert gone not in judged.seen("admin")
    left = judged.get(run.run_id)
    assert [outcome.scenario_id for outcome in left.outcomes] == stays
    assert world not in str(left)
    assert all("worlds that cannot be read now" in problem for problem in judged.problems(run, run))
    with pytest.raises(CallError) as refused:
        judged.run([gone])
    assert refused.value.reason == "SCENARIO_NOT_FOUND"
    with closing(sqlite3.connect(judged.state_dir / "judge" / "judge.db")) as db:
        assert db.execute("SELECT COUNT(*) FROM outcomes WHERE scenario_id = ?", (gone,)).fetchone() == (0,)
    again = judged.storex.run("snapshot", "import", PAYMENTS, str(copy))
    assert again.status != 0
    assert "destroyed" in again.stderr
