from __future__ import annotations

from pathlib import Path

import pytest

from libs.core.errors import Reason, StorexError
from services.judge.running import missing
from services.judge.store import JudgeStore
from storex.judge.v1.grading_pb2 import Grading
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_HARNESS_ERROR, OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Scenario
from tests.unit.judge.graded import failed, grading

RUN = Run(run_id="run-1", scenario_ids=["a", "b"], repeats=2, planned=4)


def outcome(scenario: str, repeat: int, *, scored: bool = True, problem: str = "") -> Outcome:
    status = OUTCOME_STATUS_SCORED if scored else OUTCOME_STATUS_HARNESS_ERROR
    return Outcome(scenario_id=scenario, repeat=repeat, status=status, problem=problem)


async def test_what_was_kept_is_there_after_a_restart_and_only_the_rest_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "judge" / "judge.db"
    store = JudgeStore(path)
    await store.put_scenario(Scenario(scenario_id="a", family="locks"))
    await store.begin(RUN, "user:ada")
    await store.keep("run-1", outcome("a", 0))
    await store.keep("run-1", outcome("a", 1, scored=False, problem="first"))
    await store.close()

    store = JudgeStore(path)
    assert [scenario.family for scenario in await store.scenarios()] == ["locks"]
    run = await store.run("run-1", "user:ada")
    assert run.done == 1
    assert list(missing(run)) == [("a", 1), ("b", 0), ("b", 1)]
    await store.keep("run-1", outcome("a", 1))
    await store.keep("run-1", outcome("a", 1, scored=False, problem="late"))
    run = await store.run("run-1", "user:ada")
    assert [one.problem for one in run.outcomes] == ["", ""], "a scored outcome stays"
    assert [(one.run_id, one.done) for one in await store.runs("user:ada")] == [("run-1", 2)]
    await store.close()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_run_belongs_to_whoever_began_it(tmp_path: Path) -> None:
    store = JudgeStore(tmp_path / "judge.db")
    await store.begin(RUN, "user:ada")
    assert await store.runs("user:bob") == []
    with pytest.raises(StorexError) as raised:
        await store.run("run-1", "user:bob")
    assert raised.value.reason is Reason.RUN_NOT_FOUND
    await store.close()


async def test_a_good_grading_stays_and_a_failure_or_another_rubrics_gives_way(tmp_path: Path) -> None:
    store = JudgeStore(tmp_path / "judge.db")
    await store.begin(RUN, "user:ada")
    await store.keep("run-1", outcome("a", 0))

    async def kept(found: Grading) -> Grading:
        await store.keep_grading("run-1", outcome("a", 0), found)
        return (await store.run("run-1", "user:ada")).outcomes[0].grading

    first, better = grading({"accuracy/says": True}), grading({"accuracy/says": False})
    assert await kept(failed()) == failed()
    assert await kept(first) == first
    assert await kept(better) == first
    assert await kept(failed()) == first
    newer = grading({"accuracy/says": True}, rubric="standard@2")
    assert await kept(newer) == newer
    await store.close()
