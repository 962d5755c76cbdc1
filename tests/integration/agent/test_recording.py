"""The snapshot at the end of an investigation, as the agent asks for it: by whose right, of what, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.call import SNAPSHOT
from storex.agent.v1 import agent_pb2, report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.fleet.v1 import fleet_pb2
from storex.snapshot.v1 import snapshot_pb2
from tests.integration.agent.scripted import DATA_SERVICES, Mesh, running
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

REGION = NAME.split("/")[1]
SNAPSHOT_NAME = f"{NAME}/snapshots/20261122-120000-00000000"
SERVICES = (*DATA_SERVICES, snapshot_pb2.DESCRIPTOR.services_by_name["SnapshotService"])


@asynccontextmanager
async def mesh(tmp_path: Path, answer: Any, *, healthy: bool = False, wanted: bool = True) -> AsyncIterator[Mesh]:
    """An agent before an instance with a finding, whose region answers so when a snapshot is asked for."""
    async with running(tmp_path, SERVICES, recorded_after=frozenset({REGION} if wanted else ())) as started:
        started.coordinator.answers.update(
            GetOverview=answers.overview(),
            GetHealth=d.GetHealthResponse(
                health=answers.health() if healthy else answers.health(answers.blocker_finding())
            ),
            GetLockWaits=d.GetLockWaitsResponse() if healthy else answers.lock_waits(),
            GetInstance=fleet_pb2.GetInstanceResponse(),
            CreateSnapshot=answer,
        )
        yield started


def made(seconds_before: int = 0) -> Any:
    """A region that makes one, or gives one that is so old."""

    def answer(_: snapshot_pb2.CreateSnapshotRequest) -> snapshot_pb2.CreateSnapshotResponse:
        snapshot = snapshot_pb2.Snapshot(name=SNAPSHOT_NAME)
        snapshot.captured_at.GetCurrentTime()
        snapshot.captured_at.seconds -= seconds_before
        return snapshot_pb2.CreateSnapshotResponse(snapshot=snapshot)

    return answer


async def reported(mesh: Mesh) -> report_pb2.Report:
    return (await mesh.ask(NAME))[-1].report


def codes(report: report_pb2.Report) -> dict[str, str]:
    return {limit.code: limit.message for limit in report.limits if limit.code.startswith("SNAPSHOT")}


async def test_the_report_names_the_snapshot_that_was_made_with_the_askers_rights(tmp_path: Path) -> None:
    async with mesh(tmp_path, made()) as started:
        report = await reported(started)
        [(_, request, metadata)] = [call for call in started.coordinator.calls if call[0] == "CreateSnapshot"]
        data = next(metadata for method, _, metadata in started.coordinator.calls if method == "GetHealth")
    assert list(report.snapshots) == [SNAPSHOT_NAME]
    assert (request.name, request.trigger) == (NAME, snapshot_pb2.SNAPSHOT_TRIGGER_INVESTIGATION)
    for key in ("authorization", "x-storex-actor"):
        assert metadata[key] == data[key], "the user's own token, and the agent's beside it"
    assert not codes(report)


async def test_a_snapshot_of_some_minutes_ago_is_named_with_its_age(tmp_path: Path) -> None:
    async with mesh(tmp_path, made(300)) as started:
        report = await reported(started)
    assert list(report.snapshots) == [SNAPSHOT_NAME]
    assert " 300 s older" in codes(report)["SNAPSHOT_OLDER"] or " 301 s older" in codes(report)["SNAPSHOT_OLDER"]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (StorexError(Reason.RPC_NOT_PERMITTED), "you may not make snapshots of it"),
        (StorexError(Reason.RESOURCE_NOT_FOUND), "you may not make snapshots of it"),
        (StorexError(Reason.SNAPSHOTS_ENOUGH, most="12"), "at most 12 snapshots"),
        (StorexError(Reason.STORE_FULL), "no room left"),
        (StorexError(Reason.SHARD_UNAVAILABLE), "does not answer"),
    ],
)
async def test_where_none_can_be_made_the_report_says_why_and_is_whole(
    tmp_path: Path, answer: StorexError, word: str
) -> None:
    async with mesh(tmp_path, answer) as started:
        report = await reported(started)
    assert not report.snapshots
    assert word in codes(report)["SNAPSHOT_NOT_MADE"]
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert report.root_causes


async def test_nothing_is_said_where_the_region_has_stopped_wanting_them(tmp_path: Path) -> None:
    async with mesh(tmp_path, StorexError(Reason.SNAPSHOT_NOT_ENABLED, setting="x")) as started:
        report = await reported(started)
    assert not report.snapshots
    assert not codes(report)


async def test_none_is_asked_for_where_it_is_not_wanted_or_nothing_was_wrong(tmp_path: Path) -> None:
    async with mesh(tmp_path, made(), wanted=False) as started:
        await reported(started)
        assert "CreateSnapshot" not in started.coordinator.methods()
    (tmp_path / "healthy").mkdir()
    async with mesh(tmp_path / "healthy", made(), healthy=True) as started:
        report = await reported(started)
        assert report.verdict == report_pb2.VERDICT_HEALTHY
        assert "CreateSnapshot" not in started.coordinator.methods()


async def test_a_question_about_a_snapshot_makes_no_other_one(tmp_path: Path) -> None:
    async with mesh(tmp_path, made()) as started:
        metadata = (*started.metadata(), (SNAPSHOT, SNAPSHOT_NAME))
        request = agent_pb2.AskRequest(target=NAME, question="why is it slow?")
        stream: grpc.aio.UnaryStreamCall[Any, Any] = started.stub.Ask(request, metadata=metadata, timeout=30)
        events = [event async for event in stream]
        assert events[-1].report.root_causes
        assert "CreateSnapshot" not in started.coordinator.methods()


async def test_a_report_is_kept_before_the_snapshot_is_waited_for(tmp_path: Path) -> None:
    asked, begun = asyncio.Event(), asyncio.Event()

    async def never(_: snapshot_pb2.CreateSnapshotRequest) -> None:
        begun.set()
        await asked.wait()

    async with mesh(tmp_path, lambda request: never(request)) as started:
        request = agent_pb2.AskRequest(target=NAME, question="why is it slow?")
        stream: grpc.aio.UnaryStreamCall[Any, Any] = started.stub.Ask(request, metadata=started.metadata(), timeout=30)
        first: Any = await stream.read()
        async with asyncio.timeout(10):
            await begun.wait()
        stream.cancel()
        wanted = agent_pb2.GetSessionRequest(session_id=first.session_started.session_id)
        kept = (await started.stub.GetSession(wanted, metadata=started.metadata())).session
        asked.set()
    assert kept.turns[0].report.root_causes


async def test_the_report_is_kept_with_its_snapshot(tmp_path: Path) -> None:
    async with mesh(tmp_path, made()) as started:
        report = await reported(started)
        wanted = agent_pb2.GetSessionRequest(session_id=report.session_id)
        kept = (await started.stub.GetSession(wanted, metadata=started.metadata())).session
    assert list(kept.turns[0].report.snapshots) == [SNAPSHOT_NAME]
