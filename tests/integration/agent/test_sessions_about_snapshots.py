"""Sessions that asked a snapshot: they end with the right to read it, and go with it when it is destroyed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.call import SNAPSHOT
from libs.rpc.status import error_from_rpc
from storex.agent.v1 import agent_pb2
from storex.snapshot.v1 import snapshot_pb2
from tests.integration.agent import test_recording
from tests.integration.agent.scripted import Mesh
from tests.integration.agent.test_recording import SNAPSHOT_NAME
from tests.unit.agent.answers import NAME
from tests.unit.judge.test_store import content_of


async def reason_of(call: Any) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return error_from_rpc(refused.value).reason


async def asked_of_snapshot(mesh: Mesh) -> str:
    """A session with a report from the snapshot."""
    mesh.coordinator.answers["GetSnapshot"] = snapshot_pb2.GetSnapshotResponse()
    request = agent_pb2.AskRequest(target=NAME, question="why is it slow?")
    metadata = (*mesh.metadata(), (SNAPSHOT, SNAPSHOT_NAME))
    events = [event async for event in mesh.stub.Ask(request, metadata=metadata, timeout=30)]
    report = events[-1].report
    assert report.root_causes
    return str(report.session_id)


def got(mesh: Mesh, session_id: str) -> Any:
    request = agent_pb2.GetSessionRequest(session_id=session_id)
    return mesh.stub.GetSession(request, metadata=mesh.metadata(), timeout=10)


async def test_a_session_ends_with_the_right_to_read_its_snapshot_and_comes_back_with_it(tmp_path: Path) -> None:
    async with test_recording.mesh(tmp_path, None, wanted=False) as mesh:
        session_id = await asked_of_snapshot(mesh)
        mesh.coordinator.answers["GetSnapshot"] = StorexError(Reason.RESOURCE_NOT_FOUND)
        assert await reason_of(got(mesh, session_id)) is Reason.SESSION_NOT_FOUND
        assert await reason_of(_follow_up(mesh, session_id)) is Reason.SESSION_NOT_FOUND
        mesh.coordinator.answers["GetSnapshot"] = StorexError(Reason.SHARD_UNAVAILABLE)
        assert await reason_of(got(mesh, session_id)) is Reason.SHARD_UNAVAILABLE
        mesh.coordinator.answers["GetSnapshot"] = snapshot_pb2.GetSnapshotResponse()
        assert (await got(mesh, session_id)).session.turns[0].report.root_causes


async def test_a_session_goes_with_the_snapshot_that_it_asked(tmp_path: Path) -> None:
    async with test_recording.mesh(tmp_path, None, wanted=False) as mesh:
        session_id = await asked_of_snapshot(mesh)
        assert b"lock.row_blocker" in content_of(tmp_path / "agent")
        mesh.coordinator.answers["GetSnapshot"] = StorexError(Reason.SNAPSHOT_KEY_DESTROYED)
        assert await reason_of(got(mesh, session_id)) is Reason.SESSION_NOT_FOUND
        mesh.coordinator.answers["GetSnapshot"] = snapshot_pb2.GetSnapshotResponse()
        assert await reason_of(got(mesh, session_id)) is Reason.SESSION_NOT_FOUND, "it is deleted, not hidden"
    assert b"lock.row_blocker" not in content_of(tmp_path / "agent")


async def test_a_session_stays_when_a_destroyed_snapshot_is_named_that_it_never_asked(tmp_path: Path) -> None:
    async with test_recording.mesh(tmp_path, None, wanted=False) as mesh:
        session_id = (await mesh.ask(NAME))[-1].report.session_id
        before = mesh.coordinator.answers["GetInstance"]
        mesh.coordinator.answers["GetInstance"] = StorexError(Reason.SNAPSHOT_KEY_DESTROYED)
        assert await reason_of(_follow_up(mesh, session_id)) is Reason.SNAPSHOT_KEY_DESTROYED
        mesh.coordinator.answers["GetInstance"] = before
        assert (await got(mesh, session_id)).session.turns[0].report.root_causes


async def _follow_up(mesh: Mesh, session_id: str) -> None:
    await mesh.ask("", "which client?", session_id=session_id)
