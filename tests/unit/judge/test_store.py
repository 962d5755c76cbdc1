from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from libs.core.errors import Reason, StorexError
from libs.core.sqlite_file import open_sqlite
from services.judge.running import missing
from services.judge.store import _MIGRATIONS, JudgeStore
from storex.judge.v1.grading_pb2 import Grading
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_HARNESS_ERROR, OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Scenario
from tests.unit.judge.graded import failed, grading

WORLD = "regions/r/instances/i/snapshots/s"
RUN = Run(run_id="run-1", scenario_ids=["a", "b"], repeats=2, planned=4)


def outcome(scenario: str, repeat: int, *, scored: bool = True, problem: str = "") -> Outcome:
    status = OUTCOME_STATUS_SCORED if scored else OUTCOME_STATUS_HARNESS_ERROR
    return Outcome(scenario_id=scenario, repeat=repeat, status=status, problem=problem)


def content_of(folder: Path) -> bytes:
    """All that is on the disk."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_what_was_kept_is_there_after_a_restart_and_only_the_rest_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "judge" / "judge.db"
    store = JudgeStore(path)
    await store.put_scenario(Scenario(scenario_id="a", family="locks", world=WORLD))
    await store.begin(RUN, "user:ada")
    await store.keep("run-1", outcome("a", 0), WORLD)
    await store.keep("run-1", outcome("a", 1, scored=False, problem="first"), WORLD)
    await store.close()

    store = JudgeStore(path)
    assert [scenario.family for scenario in await store.scenarios()] == ["locks"]
    run = await store.run("run-1", "user:ada")
    assert run.done == 1
    assert list(missing(run)) == [("a", 1), ("b", 0), ("b", 1)]
    await store.keep("run-1", outcome("a", 1), WORLD)
    await store.keep("run-1", outcome("a", 1, scored=False, problem="late"), WORLD)
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
    await store.keep("run-1", outcome("a", 0), WORLD)

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


async def test_outcomes_of_a_world_that_its_scenario_has_no_more_are_missing_and_made_anew(tmp_path: Path) -> None:
    store = JudgeStore(tmp_path / "judge.db")
    await store.put_scenario(Scenario(scenario_id="a", world=WORLD))
    await store.begin(RUN, "user:ada")
    await store.keep("run-1", outcome("a", 0, problem="of the first"), WORLD)
    await store.keep_grading("run-1", outcome("a", 0), grading({"accuracy/says": True}))

    await store.put_scenario(Scenario(scenario_id="a", world=WORLD + "2"))
    run = await store.run("run-1", "user:ada")
    assert (len(run.outcomes), next(missing(run))) == (0, ("a", 0)), "who may see the second may not see the first"
    await store.keep("run-1", outcome("a", 0, problem="of the second"), WORLD + "2")
    [made] = (await store.run("run-1", "user:ada")).outcomes
    assert (made.problem, made.HasField("grading")) == ("of the second", False)
    assert await store.worlds() == {WORLD + "2"}
    await store.close()


async def test_what_is_forgotten_of_a_world_is_in_the_file_no_more(tmp_path: Path) -> None:
    path, secret = tmp_path / "judge.db", "reconciliation-job"
    other = WORLD + "2"
    store = JudgeStore(path)
    for scenario_id, world in (("a", WORLD), ("b", other)):
        await store.put_scenario(Scenario(scenario_id=scenario_id, world=world, questions=[f"why, {secret}-{world}?"]))
    await store.begin(RUN, "user:ada")
    for scenario_id, world in (("a", WORLD), ("b", other)):
        made = outcome(scenario_id, 0)
        made.transcript.append(f"held by {secret}-{world}. " * 400)
        await store.keep("run-1", made, world)
        await store.keep_grading("run-1", made, grading({"accuracy/says": True}))
    await store.put_scenario(Scenario(scenario_id="a", world=other, questions=["why?"]))
    assert await store.worlds() == {WORLD, other}, "a scenario has another world, and its outcomes are of the first"

    await store.forget(WORLD)
    run = await store.run("run-1", "user:ada")
    assert [one.scenario_id for one in run.outcomes] == ["b"]
    assert [one.scenario_id for one in await store.scenarios()] == ["a", "b"]
    kept = content_of(tmp_path)
    assert f"{secret}-{other}.".encode() in kept
    assert f"{secret}-{WORLD}.".encode() not in kept
    await store.forget(other)
    assert not await store.scenarios()
    assert await store.worlds() == set()
    await store.close()


async def test_what_was_kept_before_worlds_were_written_beside_it_can_be_forgotten_too(tmp_path: Path) -> None:
    path = tmp_path / "judge.db"
    with closing(open_sqlite(path, _MIGRATIONS[:2])) as old:
        body = Scenario(scenario_id="a", world=WORLD).SerializeToString()
        old.execute("INSERT INTO scenarios VALUES ('a', ?)", (body,))
        old.execute("INSERT INTO runs VALUES ('run-1', 'user:ada', 0, ?)", (RUN.SerializeToString(),))
        old.execute("INSERT INTO outcomes VALUES ('run-1', 'a', 0, 1, ?)", (outcome("a", 0).SerializeToString(),))
        old.commit()
    store = JudgeStore(path)
    assert await store.worlds() == {WORLD}
    await store.forget(WORLD)
    assert not (await store.run("run-1", "user:ada")).outcomes
    await store.close()
