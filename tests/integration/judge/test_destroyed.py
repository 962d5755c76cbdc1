"""Worlds that are not there any more: what the judge keeps of them goes where that is certain, and only there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from libs.core.errors import Reason, StorexError
from storex.judge.v1.judge_pb2 import GetRunRequest
from storex.snapshot.v1.snapshot_pb2 import GetSnapshotResponse, ListSnapshotsResponse, Snapshot
from tests.integration.judge.scripted import WORLD, Bench, good, judging
from tests.unit.judge.test_store import content_of

NOT_FOUND = StorexError(Reason.RESOURCE_NOT_FOUND)


def kept(state_dir: Path) -> tuple[int, int, int]:
    """Scenarios, outcomes and gradings in the judge's file."""
    with closing(sqlite3.connect(state_dir / "judge" / "judge.db")) as db:
        tables = ("scenarios", "outcomes", "gradings")
        counts = [db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] for table in tables]
    return counts[0], counts[1], counts[2]


async def looked_at(bench: Bench, run_id: str, listed: Any) -> int:
    """How many outcomes are shown while the world cannot be found and its instance's snapshots are these."""
    bench.coordinator.answers |= {"GetSnapshot": NOT_FOUND, "ListSnapshots": listed}
    answer = await bench.stub.GetRun(GetRunRequest(run_id=run_id), metadata=bench.metadata(), timeout=10)
    return len(answer.run.outcomes)


@pytest.mark.parametrize(
    "listed",
    [
        NOT_FOUND,
        StorexError(Reason.RPC_NOT_PERMITTED),
        StorexError(Reason.SHARD_UNAVAILABLE),
        ListSnapshotsResponse(snapshots=[Snapshot(name=WORLD)]),
    ],
    ids=["hidden", "not permitted", "silent", "listed"],
)
async def test_what_may_not_be_seen_or_is_silent_is_hidden_and_stays(tmp_path: Path, listed: Any) -> None:
    async with judging(tmp_path, good()) as bench:
        run = await bench.run(rubric="standard")
        assert await looked_at(bench, run.run_id, listed) == 0
        assert kept(tmp_path) == (1, 1, 1)
        bench.coordinator.answers["GetSnapshot"] = GetSnapshotResponse()
        again = await bench.stub.GetRun(GetRunRequest(run_id=run.run_id), metadata=bench.metadata(), timeout=10)
        assert again.run == run


async def test_a_silent_region_is_waited_for_once(tmp_path: Path) -> None:
    async with judging(tmp_path, good()) as bench:
        run = await bench.run(rubric="standard")
        bench.coordinator.answers |= {
            "GetSnapshot": StorexError(Reason.SHARD_UNAVAILABLE),
            "ListSnapshots": ListSnapshotsResponse(),  # would prove the world destroyed
        }
        answer = await bench.stub.GetRun(GetRunRequest(run_id=run.run_id), metadata=bench.metadata(), timeout=10)
        assert list(answer.run.outcomes) == []
        assert kept(tmp_path) == (1, 1, 1)


async def test_what_is_kept_of_a_destroyed_world_is_deleted(tmp_path: Path) -> None:
    async with judging(tmp_path, good()) as bench:
        run = await bench.run(rubric="standard")
        assert await looked_at(bench, run.run_id, ListSnapshotsResponse()) == 0
        assert kept(tmp_path) == (0, 0, 0)
        files = content_of(tmp_path / "judge")
        assert run.run_id.encode() in files
        assert b"orders_batch" not in files
        bench.coordinator.answers["GetSnapshot"] = GetSnapshotResponse()
        again = await bench.stub.GetRun(GetRunRequest(run_id=run.run_id), metadata=bench.metadata(), timeout=10)
        assert (again.run.planned, list(again.run.outcomes)) == (1, [])
