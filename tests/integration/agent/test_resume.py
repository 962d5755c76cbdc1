"""A question that was cut short, by a crash above all, is gone on with from what was recorded."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

from libs.core.errors import Reason, StorexError
from libs.identity import LocalIssuer
from libs.rpc.call import outgoing_metadata
from libs.rpc.status import error_from_rpc
from services.agent.loop.limits import LoopLimits
from storex.agent.v1 import agent_pb2, report_pb2
from storex.agent.v1.agent_pb2_grpc import AgentServiceStub
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.fleet.v1 import fleet_pb2
from tests.integration.agent.scripted import Coordinator, Mesh, running, serving
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

_ROOT = Path(__file__).parents[3]


def _blocked(coordinator: Coordinator) -> None:
    coordinator.answers.update(
        GetOverview=answers.overview(),
        GetHealth=d.GetHealthResponse(health=answers.health(answers.blocker_finding())),
        GetLockWaits=answers.lock_waits(),
        GetInstance=fleet_pb2.GetInstanceResponse(),
    )


async def _for_ever() -> None:
    await asyncio.sleep(600)


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with running(tmp_path) as running_mesh:
        _blocked(running_mesh.coordinator)
        yield running_mesh


async def _cut_short(mesh: Mesh, target: str = NAME) -> str:
    """Ask, and leave when the confirming reading has begun; returns the session."""
    lock_waits = mesh.coordinator.answers["GetLockWaits"]
    mesh.coordinator.answers["GetLockWaits"] = lambda _: _for_ever()
    call = mesh.stub.Ask(agent_pb2.AskRequest(target=target, question="why is it slow?"), metadata=mesh.metadata())
    session_id = ""
    async for event in call:
        session_id = session_id or event.session_started.session_id
        if event.tool_call.tool == "get_lock_waits":
            break
    call.cancel()
    assert await mesh.coordinator.cancelled.get() == "GetLockWaits"
    mesh.coordinator.answers["GetLockWaits"] = lock_waits
    mesh.coordinator.calls.clear()
    return session_id


async def _resume(mesh: Mesh, session_id: str, user: str = "alice") -> list[agent_pb2.AskResponse]:
    return await mesh.ask("", "", session_id=session_id, resume=True, user=user)


async def _reason(mesh: Mesh, session_id: str, user: str = "alice") -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await _resume(mesh, session_id, user)
    return error_from_rpc(failure.value).reason


async def test_a_question_goes_on_without_asking_again_what_is_fresh(mesh: Mesh) -> None:
    session_id = await _cut_short(mesh)
    events = await _resume(mesh, session_id)
    assert mesh.coordinator.methods() == ["GetInstance", "GetLockWaits"]
    assert events[0].session_started.resumed
    assert events[0].session_started.target == NAME
    report = events[-1].report
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert report.root_causes[0].kind == "lock.row_blocker"
    assert {event.tool_result.tool for event in events if event.tool_result.reused} == {"get_overview", "get_health"}
    got = await mesh.stub.GetSession(agent_pb2.GetSessionRequest(session_id=session_id), metadata=mesh.metadata())
    assert [turn.question for turn in got.session.turns] == ["why is it slow?"]
    assert got.session.turns[0].report == report
    assert len({item.call_id for item in report.evidence}) == len({item.tool for item in report.evidence})


async def test_what_is_old_is_asked_again(tmp_path: Path) -> None:
    async with running(tmp_path, limits=LoopLimits(fresh_seconds=0.0)) as mesh:
        _blocked(mesh.coordinator)
        session_id = await _cut_short(mesh)
        report = (await _resume(mesh, session_id))[-1].report
        assert sorted(mesh.coordinator.methods()) == ["GetHealth", "GetInstance", "GetLockWaits", "GetOverview"]
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert {item.call_id for item in report.evidence}.isdisjoint({"call_0_1", "call_0_2", "call_0_3"})


async def test_only_its_owner_goes_on_and_only_while_they_may_see_it(mesh: Mesh) -> None:
    session_id = await _cut_short(mesh)
    assert await _reason(mesh, session_id, "mallory") is Reason.SESSION_NOT_FOUND
    mesh.coordinator.answers["GetInstance"] = StorexError(Reason.RESOURCE_NOT_FOUND)
    assert await _reason(mesh, session_id) is Reason.SESSION_NOT_FOUND


async def test_a_question_with_a_report_is_over(mesh: Mesh) -> None:
    session_id = (await mesh.ask(NAME))[-1].report.session_id
    assert await _reason(mesh, session_id) is Reason.REQUEST_INVALID


async def test_events_are_numbered_and_timed(mesh: Mesh) -> None:
    events = await mesh.ask(NAME)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    elapsed = [event.elapsed_seconds for event in events]
    assert elapsed == sorted(elapsed)
    results = [event.tool_result for event in events if event.HasField("tool_result")]
    assert {result.name for result in results} == {NAME}
    assert all(f'"name": "{NAME}"' in result.arguments for result in results)
    assert all(result.HasField("window_end") for result in results)
    states = [event.hypothesis.state for event in events if event.HasField("hypothesis")]
    assert states == [agent_pb2.HYPOTHESIS_STATE_RAISED, agent_pb2.HYPOTHESIS_STATE_CONFIRMED]


@pytest.mark.parametrize("method", ["GetOverview", "GetHealth", pytest.param("GetLockWaits", marks=pytest.mark.slow)])
async def test_leaving_at_any_moment_leaves_no_task_and_no_call_behind(mesh: Mesh, method: str) -> None:
    mesh.coordinator.answers[method] = lambda _: _for_ever()
    call = mesh.stub.Ask(agent_pb2.AskRequest(target=NAME, question="why?"), metadata=mesh.metadata())
    async for _ in call:
        if method in mesh.coordinator.methods():
            break
    call.cancel()
    async with asyncio.timeout(5):
        assert await mesh.coordinator.cancelled.get() == method
        left = [task for task in asyncio.all_tasks() if "services/agent" in repr(task)]
        await asyncio.gather(*left, return_exceptions=True)
        assert mesh.coordinator.cancelled.empty()


@asynccontextmanager
async def _agent_process(tmp_path: Path, coordinator: Coordinator) -> AsyncIterator[tuple[Process, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.agent", "--config", str(tmp_path / "storex.yaml"), "--listen", f"127.0.0.1:{port}"),
        *("--coordinator", f"127.0.0.1:{coordinator.port}", "--token-file", str(tmp_path / "agent.jwt")),
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(_ROOT), str(_ROOT / "gen")))},
    )
    try:
        yield process, port
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _ask(
    port: int, request: agent_pb2.AskRequest, issuer: LocalIssuer
) -> AsyncGenerator[agent_pb2.AskResponse, None]:
    token = issuer.issue_user("alice", ["payments"], ["on-call"])
    metadata = outgoing_metadata(authorization=token, relay=issuer.issue_service("coordinator"))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = AgentServiceStub(channel).Ask(request, metadata=metadata, timeout=60, wait_for_ready=True)
        async for event in call:
            yield event


async def test_a_killed_agent_loses_nothing_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "storex.yaml").write_text("regions: {eu-west-1: {domain: eu, instances: {}}}\nstate_dir: state\n")
    issuer = LocalIssuer.open(tmp_path / "state")
    (tmp_path / "agent.jwt").write_text(issuer.issue_service("agent"))
    async with serving() as coordinator:
        _blocked(coordinator)
        coordinator.answers["GetLockWaits"] = lambda _: _for_ever()
        session_id = ""
        async with _agent_process(tmp_path, coordinator) as (process, port):
            events = _ask(port, agent_pb2.AskRequest(target=NAME, question="why is it slow?"), issuer)
            async for event in events:
                session_id = session_id or event.session_started.session_id
                if event.tool_call.tool == "get_lock_waits":
                    break
            os.kill(process.pid, signal.SIGKILL)
            await events.aclose()
            assert await process.wait() == -signal.SIGKILL
        _blocked(coordinator)
        coordinator.calls.clear()
        async with _agent_process(tmp_path, coordinator) as (_, port):
            resumed = agent_pb2.AskRequest(session_id=session_id, resume=True)
            told = [event async for event in _ask(port, resumed, issuer)]
    assert coordinator.methods() == ["GetInstance", "GetLockWaits"]
    assert told[-1].report.verdict == report_pb2.VERDICT_CONFIRMED
    tokens = [path for path in (tmp_path / "state" / "agent").iterdir() if b"eyJ" in path.read_bytes()]
    assert tokens == [], "the token is never stored"
