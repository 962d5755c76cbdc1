"""Worlds that are not there any more: what the judge keeps of them goes where that is certain, and only there."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.status import error_from_rpc
from services.judge.worlds import AT_ONCE
from storex.judge.v1.judge_pb2 import GetRunRequest, ListScenariosRequest, PutScenarioRequest
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import GetSnapshotResponse
from tests.integration.judge.scripted import WORLD, Bench, good, judging
from tests.unit.judge.test_store import content_of

DESTROYED = StorexError(Reason.SNAPSHOT_KEY_DESTROYED)


def kept(state_dir: Path) -> tuple[int, int, int]:
    """Scenarios, outcomes and gradings in the judge's file."""
    with closing(sqlite3.connect(state_dir / "judge" / "judge.db")) as db:
        tables = ("scenarios", "outcomes", "gradings")
        counts = [db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables]
    return counts[0], counts[1], counts[2]


async def looked_at(bench: Bench, run_id: str, of_world: Any) -> int:
    """How many outcomes are shown while this is what the region says of the world."""
    bench.coordinator.answers["GetSnapshot"] = of_world
    answer = await bench.stub.GetRun(GetRunRequest(run_id=run_id), metadata=bench.metadata(), timeout=10)
    return len(answer.run.outcomes)


@pytest.mark.parametrize(
    "reason", [Reason.RESOURCE_NOT_FOUND, Reason.RPC_NOT_PERMITTED, Reason.SHARD_UNAVAILABLE], ids=lambda one: one.name
)
async def test_what_is_hidden_unknown_or_silent_is_not_shown_and_stays(tmp_path: Path, reason: Reason) -> None:
    async with judging(tmp_path, good()) as bench:
        run = await bench.run(rubric="standard")
        assert await looked_at(bench, run.run_id, StorexError(reason)) == 0
        assert kept(tmp_path) == (1, 1, 1)
        bench.coordinator.answers["GetSnapshot"] = GetSnapshotResponse()
        again = await bench.stub.GetRun(GetRunRequest(run_id=run.run_id), metadata=bench.metadata(), timeout=10)
        assert again.run == run


async def test_a_silent_region_is_not_asked_for_each_of_its_worlds(tmp_path: Path) -> None:
    asked = []

    async def hangs(request: Any) -> StorexError:
        asked.append(request.name)
        await asyncio.sleep(0.2)
        return StorexError(Reason.SHARD_UNAVAILABLE)

    async with judging(tmp_path) as bench:
        names = [f"{WORLD[:-2]}{number:02}" for number in range(AT_ONCE + 4)]
        for number, name in enumerate(names):
            scenario = Scenario(scenario_id=f"s{number:02}", world=name, questions=["why?"])
            await bench.stub.PutScenario(PutScenarioRequest(scenario=scenario), metadata=bench.metadata())
        bench.coordinator.answers["GetSnapshot"] = hangs
        listed = await bench.stub.ListScenarios(ListScenariosRequest(), metadata=bench.metadata(), timeout=10)
    assert (len(listed.scenarios), listed.undecided_count) == (0, len(names))
    assert len(asked) == AT_ONCE


async def test_what_is_kept_of_a_destroyed_world_is_deleted(tmp_path: Path) -> None:
    async with judging(tmp_path, good()) as bench:
        run = await bench.run(rubric="standard")
        assert await looked_at(bench, run.run_id, DESTROYED) == 0
        assert kept(tmp_path) == (0, 0, 0)
        files = content_of(tmp_path / "judge")
        assert run.run_id.encode() in files
        assert b"orders_batch" not in files
        bench.coordinator.answers["GetSnapshot"] = GetSnapshotResponse()
        again = await bench.stub.GetRun(GetRunRequest(run_id=run.run_id), metadata=bench.metadata(), timeout=10)
        assert (again.run.planned, list(again.run.outcomes)) == (1, [])


async def test_a_destroyed_world_makes_no_scenario_and_is_not_in_the_way_of_another_one(tmp_path: Path) -> None:
    async with judging(tmp_path) as bench:
        fresh = f"{WORLD[:-1]}1"
        bench.coordinator.answers["GetSnapshot"] = lambda request: (
            DESTROYED if request.name == WORLD else GetSnapshotResponse()
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await bench.stub.PutScenario(_scenario(WORLD), metadata=bench.metadata(), timeout=10)
        assert error_from_rpc(refused.value).reason is Reason.SNAPSHOT_KEY_DESTROYED
        await bench.stub.PutScenario(_scenario(fresh), metadata=bench.metadata(), timeout=10)
        listed = await bench.stub.ListScenarios(ListScenariosRequest(), metadata=bench.metadata(), timeout=10)
    assert [scenario.world for scenario in listed.scenarios] == [fresh]


def _scenario(world: str) -> PutScenarioRequest:
    return PutScenarioRequest(scenario=Scenario(scenario_id="s00", world=world, questions=["why is it slow?"]))
