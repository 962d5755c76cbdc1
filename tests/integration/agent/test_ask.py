from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.status import error_from_rpc
from storex.agent.v1 import agent_pb2, report_pb2
from storex.common.v1 import error_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.fleet.v1 import fleet_pb2
from tests.integration.agent.scripted import Mesh, running
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with running(tmp_path) as running_mesh:
        blocked = answers.health(answers.blocker_finding())
        running_mesh.coordinator.answers.update(
            GetOverview=answers.overview(),
            GetHealth=d.GetHealthResponse(health=blocked),
            GetLockWaits=answers.lock_waits(),
            GetInstance=fleet_pb2.GetInstanceResponse(),
        )
        yield running_mesh


def kinds(events: list[agent_pb2.AskResponse]) -> list[str]:
    return [event.WhichOneof("event") or "" for event in events]


async def refused(mesh: Mesh, target: str, question: str = "why?", **fields: object) -> Reason:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await mesh.ask(target, question, **fields)
    return error_from_rpc(failure.value).reason


async def test_an_incident_is_investigated_and_reported(mesh: Mesh) -> None:
    events = await mesh.ask(NAME)
    names = kinds(events)
    assert names[0] == "session_started"
    assert names[-1] == "report"
    assert {"plan", "tool_call", "tool_result", "hypothesis"} <= set(names)
    report = events[-1].report
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert report.root_causes[0].kind == "lock.row_blocker"
    assert report.written_by == "builtin"
    assert report.session_id == events[0].session_started.session_id
    assert report.usage.tool_calls == 3
    assert 0 < report.usage.wall_seconds < 3
    started = [event.tool_call.call_id for event in events if event.HasField("tool_call")]
    ended = [event.tool_result.call_id for event in events if event.HasField("tool_result")]
    assert sorted(started) == sorted(ended)


async def test_every_call_carries_the_users_token_and_the_agents_own(mesh: Mesh) -> None:
    await mesh.ask(NAME)
    for _, _, metadata in mesh.coordinator.calls:
        assert metadata["authorization"].startswith("Bearer ")
        assert metadata["x-storex-actor"]
        assert metadata["authorization"].removeprefix("Bearer ") != metadata["x-storex-actor"]
        assert "x-storex-relay" not in metadata
    assert len({metadata["x-request-id"] for _, _, metadata in mesh.coordinator.calls}) == 1


async def test_a_follow_up_uses_what_is_known(mesh: Mesh) -> None:
    first = (await mesh.ask(NAME))[-1].report
    mesh.coordinator.calls.clear()
    who = (await mesh.ask("", "which client is it?", session_id=first.session_id))[-1].report
    assert mesh.coordinator.methods() == ["GetInstance"]
    assert "user orders_batch" in who.answer
    assert who.verdict == report_pb2.VERDICT_CONFIRMED
    kill = (await mesh.ask("", "safe to kill it?", session_id=first.session_id))[-1].report
    assert "KILL 812" in kill.answer
    assert mesh.coordinator.methods() == ["GetInstance", "GetInstance"]
    assert kill.usage.tool_calls == 0


async def test_an_endpoint_that_names_no_model_is_a_limit_of_every_report(tmp_path: Path) -> None:
    async with running(tmp_path, model_unnamed=True) as mesh:
        report = (await mesh.ask(NAME))[-1].report
    [limit] = [limit for limit in report.limits if limit.code == "MODEL_NOT_NAMED"]
    assert "STOREX_MODEL" in limit.remedy


async def test_a_session_belongs_to_its_owner(mesh: Mesh) -> None:
    session_id = (await mesh.ask(NAME))[-1].report.session_id
    assert await refused(mesh, "", session_id=session_id, user="mallory") is Reason.SESSION_NOT_FOUND
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await mesh.stub.GetSession(
            agent_pb2.GetSessionRequest(session_id=session_id), metadata=mesh.metadata("mallory")
        )
    assert error_from_rpc(failure.value).reason is Reason.SESSION_NOT_FOUND
    listed = await mesh.stub.ListSessions(agent_pb2.ListSessionsRequest(), metadata=mesh.metadata("mallory"))
    assert not listed.sessions
    own = await mesh.stub.GetSession(agent_pb2.GetSessionRequest(session_id=session_id), metadata=mesh.metadata())
    assert own.session.turns[0].report.root_causes[0].kind == "lock.row_blocker"


async def test_a_session_is_closed_to_an_owner_whose_right_has_ended(mesh: Mesh) -> None:
    session_id = (await mesh.ask(NAME))[-1].report.session_id
    mesh.coordinator.answers["GetInstance"] = StorexError(Reason.RESOURCE_NOT_FOUND)
    assert await refused(mesh, "", "which client?", session_id=session_id) is Reason.SESSION_NOT_FOUND


async def test_questions_are_kept_without_what_looks_like_customer_data(mesh: Mesh) -> None:
    session_id = (await mesh.ask(NAME, "why is card 4111111111111111 of bob@example.org slow?"))[-1].report.session_id
    got = await mesh.stub.GetSession(agent_pb2.GetSessionRequest(session_id=session_id), metadata=mesh.metadata())
    assert "4111" not in got.session.turns[0].question
    assert "bob@" not in got.session.turns[0].question


@pytest.mark.parametrize("reason", [Reason.RESOURCE_NOT_FOUND, Reason.RPC_NOT_PERMITTED])
async def test_a_target_that_may_not_be_seen_is_refused_not_reported(mesh: Mesh, reason: Reason) -> None:
    mesh.coordinator.answers.update(GetOverview=StorexError(reason), GetHealth=StorexError(reason))
    assert await refused(mesh, NAME) is reason


@pytest.mark.parametrize(
    ("target", "fields", "reason"),
    [
        ("", {}, Reason.REQUEST_INVALID),
        ("services/UPPER", {}, Reason.REQUEST_INVALID),
        ("nonsense", {}, Reason.NAME_INVALID),
        ("regions/-", {}, Reason.WILDCARD_NOT_ALLOWED),
        (NAME, {"question": "  "}, Reason.REQUEST_INVALID),
        (NAME, {"question": "x" * 5000}, Reason.REQUEST_INVALID),
        (NAME, {"at": answers.OBSERVED}, Reason.REQUEST_INVALID),
        (NAME, {"session_id": "ses_unknown"}, Reason.SESSION_NOT_FOUND),
    ],
)
async def test_what_cannot_be_asked_is_a_clear_error(
    mesh: Mesh, target: str, fields: dict[str, object], reason: Reason
) -> None:
    assert await refused(mesh, target, **{"question": "why?", **fields}) is reason  # type: ignore[arg-type]


async def test_a_database_that_is_down_is_reported_with_its_remedy(mesh: Mesh) -> None:
    down = StorexError(Reason.DATABASE_UNREACHABLE)
    mesh.coordinator.answers.update(GetOverview=down, GetHealth=down)
    report = (await mesh.ask(NAME))[-1].report
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    assert {limit.code for limit in report.limits} == {"DATABASE_UNREACHABLE"}
    assert "Check that it runs" in report.limits[0].remedy


async def test_an_error_that_passes_is_tried_again(mesh: Mesh) -> None:
    healths = iter([StorexError(Reason.DATABASE_BUSY, retry_seconds=0.01), mesh.coordinator.answers["GetHealth"]])
    mesh.coordinator.answers["GetHealth"] = lambda _: next(healths)
    assert (await mesh.ask(NAME))[-1].report.verdict == report_pb2.VERDICT_CONFIRMED


async def test_a_region_is_asked_as_a_whole_and_the_sick_instance_confirmed(mesh: Mesh) -> None:
    other = "regions/eu-west-1/instances/users-1"
    mesh.coordinator.answers["StreamHealth"] = [
        d.StreamHealthResponse(health=answers.health(name=other)),
        d.StreamHealthResponse(health=answers.health(answers.blocker_finding())),
    ]
    report = (await mesh.ask("regions/eu-west-1"))[-1].report
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert report.root_causes[0].name == NAME
    assert mesh.coordinator.calls[0][1].name == "regions/eu-west-1/instances/-"
    assert {(item.tool, item.name) for item in report.checked} == {
        ("stream_health", NAME),
        ("stream_health", other),
        ("get_overview", NAME),
        ("get_lock_waits", NAME),
    }


async def test_a_service_is_asked_by_label_and_a_dead_region_is_told(mesh: Mesh) -> None:
    away = error_pb2.RegionError(name="regions/us-east-1", code=14, reason="SHARD_UNAVAILABLE", message="It is away.")
    mesh.coordinator.answers["StreamHealth"] = [
        d.StreamHealthResponse(region_error=away),
        d.StreamHealthResponse(health=answers.health()),
    ]
    report = (await mesh.ask("services/orders"))[-1].report
    assert dict(mesh.coordinator.calls[0][1].labels) == {"service": "orders"}
    assert mesh.coordinator.calls[0][1].name == "regions/-/instances/-"
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    assert [(limit.name, limit.code) for limit in report.limits] == [("regions/us-east-1", "SHARD_UNAVAILABLE")]


async def test_a_service_without_instances_is_not_found(mesh: Mesh) -> None:
    mesh.coordinator.answers["StreamHealth"] = []
    assert await refused(mesh, "services/unknown") is Reason.RESOURCE_NOT_FOUND


async def test_leaving_cancels_the_calls_that_are_under_way(mesh: Mesh) -> None:
    async def forever() -> None:
        await asyncio.sleep(60)

    mesh.coordinator.answers["GetHealth"] = lambda _: forever()
    request = agent_pb2.AskRequest(target=NAME, question="why?")
    call = mesh.stub.Ask(request, metadata=mesh.metadata())
    async for event in call:
        if event.HasField("tool_result"):
            break
    call.cancel()
    async with asyncio.timeout(5):
        assert await mesh.coordinator.cancelled.get() == "GetHealth"


async def test_a_call_that_did_not_come_through_the_coordinator_is_refused(mesh: Mesh) -> None:
    metadata = tuple(entry for entry in mesh.metadata() if entry[0] != "x-storex-relay")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await mesh.stub.ListSessions(agent_pb2.ListSessionsRequest(), metadata=metadata)
    assert error_from_rpc(failure.value).reason is Reason.TOKEN_MISSING


async def test_fifty_questions_at_once_all_end_in_a_report(mesh: Mesh) -> None:
    reports = await asyncio.gather(*(mesh.ask(NAME) for _ in range(50)))
    assert {events[-1].report.verdict for events in reports} == {report_pb2.VERDICT_CONFIRMED}
    codes = {limit.code for events in reports for limit in events[-1].report.limits}
    assert "SESSION_NOT_KEPT" not in codes
