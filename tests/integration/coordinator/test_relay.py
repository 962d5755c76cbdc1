"""One region's calls and the agent's, through the front door."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.status import error_from_rpc
from storex.agent.v1 import agent_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as diagnostics
from storex.fleet.v1 import fleet_pb2 as fleet
from tests.integration.coordinator.conftest import CONFIGURATION, FLEET, Mesh, start_mesh
from tests.integration.rpc.scripted import ScriptedShard, failure

ORDERS = "regions/eu-west-1/instances/orders-1"
PAYMENTS = "regions/eu-west-1/instances/payments-1"
OVERVIEW = "/storex.diagnostics.v1.DiagnosticsService/GetOverview"
REQUEST = diagnostics.GetOverviewRequest(name=ORDERS)


async def reason_of(call: object) -> Reason:
    return error_from_rpc(await failure(call)).reason


async def test_a_call_reaches_its_shard_with_both_proofs_and_the_same_request_id(mesh: Mesh) -> None:
    metadata = (*mesh.user("orders"), ("x-request-id", "req_0123456789"), ("x-evil", "1"))
    answer = await mesh.diagnostics.GetOverview(REQUEST, metadata=metadata, timeout=5)
    assert answer.version == ORDERS
    (call,) = mesh.shards["eu-west-1"].servicer.calls
    assert call.request_id == "req_0123456789"
    assert call.caller is not None
    assert call.caller.user.subject == "user:alice"
    assert call.caller.actor is None
    assert call.caller.relay is not None
    assert call.caller.relay.subject == "service:coordinator"
    assert "x-evil" not in call.metadata
    assert call.deadline is not None
    assert call.deadline - time.monotonic() < 5


async def test_a_relay_proof_that_a_client_brings_is_not_passed_on(mesh: Mesh) -> None:
    for forged in (mesh.issuer.issue_service("agent"), "forged", mesh.issuer.issue_service("coordinator")):
        metadata = (*mesh.user("orders"), ("x-storex-relay", forged))
        await mesh.diagnostics.GetOverview(REQUEST, metadata=metadata, timeout=5)
    own = mesh.token_file.read_text()
    calls = mesh.shards["eu-west-1"].servicer.calls
    assert [call.metadata["x-storex-relay"] for call in calls] == [[own]] * 3


async def test_the_agent_acts_with_its_users_rights_and_never_with_its_own(mesh: Mesh) -> None:
    actor = ("x-storex-actor", mesh.issuer.issue_service("agent"))
    await mesh.diagnostics.GetOverview(REQUEST, metadata=(*mesh.user("orders"), actor), timeout=5)
    call = mesh.shards["eu-west-1"].servicer.calls[-1]
    assert call.caller is not None
    assert [principal.subject for principal in call.caller.principals] == ["user:alice", "service:agent"]

    hidden = diagnostics.GetOverviewRequest(name=PAYMENTS)
    for request, metadata, reason in (
        (hidden, (*mesh.user("orders"), actor), Reason.RESOURCE_NOT_FOUND),
        (REQUEST, (*mesh.user("orders", roles=()), actor), Reason.RPC_NOT_PERMITTED),
        (REQUEST, (("authorization", f"Bearer {actor[1]}"),), Reason.TOKEN_INVALID),
        (REQUEST, (*mesh.user("orders"), ("x-storex-actor", mesh.dba[0][1].split()[1])), Reason.TOKEN_INVALID),
        (REQUEST, (*mesh.user("orders"), ("x-storex-actor", mesh.token_file.read_text())), Reason.TOKEN_INVALID),
        (REQUEST, (*mesh.user("orders"), actor, actor), Reason.TOKEN_INVALID),
    ):
        assert await reason_of(mesh.diagnostics.GetOverview(request, metadata=metadata, timeout=5)) is reason


async def test_a_hidden_an_absent_and_an_unknown_name_get_the_same_bytes(mesh: Mesh) -> None:
    metadata = (*mesh.user("orders"), ("x-request-id", "req_0123456789"))
    names = (PAYMENTS, "regions/eu-west-1/instances/absent", "regions/nowhere/instances/orders-1")
    errors = [
        await failure(mesh.diagnostics.GetOverview(diagnostics.GetOverviewRequest(name=n), metadata=metadata))
        for n in names
    ]
    assert {error.code() for error in errors} == {grpc.StatusCode.NOT_FOUND}
    assert len({(error.details(), tuple(error.trailing_metadata())) for error in errors}) == 1


async def test_two_names_in_one_request_reach_nobody(mesh: Mesh) -> None:
    hidden = diagnostics.GetOverviewRequest(name=PAYMENTS).SerializeToString()
    allowed = REQUEST.SerializeToString()
    for request in (hidden + allowed, allowed + hidden):
        call = mesh.channel.unary_unary(OVERVIEW)(request, metadata=mesh.user("orders"))
        assert await reason_of(call) is Reason.REQUEST_MALFORMED
    assert mesh.shards["eu-west-1"].servicer.calls == []


@pytest.mark.parametrize("method", ["/storex.diagnostics.v1.DiagnosticsService/New", "/made.up/M", "/x"])
async def test_what_the_coordinator_does_not_declare_is_denied_even_if_a_shard_has_it(mesh: Mesh, method: str) -> None:
    call = mesh.channel.unary_unary(method)(REQUEST.SerializeToString(), metadata=mesh.dba, timeout=5)
    assert await reason_of(call) is Reason.RPC_NOT_PERMITTED


async def test_a_shards_errors_pass_in_the_catalogues_words_and_others_not_at_all(mesh: Mesh) -> None:
    shard = mesh.shards["eu-west-1"]

    async def database_down() -> None:
        raise StorexError(Reason.DATABASE_UNREACHABLE, detail="canary: 10.0.0.7 refused")

    async def bug() -> None:
        raise KeyError("canary")

    for script, reason, delay in ((database_down, Reason.DATABASE_UNREACHABLE, 5.0), (bug, Reason.INTERNAL, None)):
        shard.servicer.script = script
        error = await failure(mesh.diagnostics.GetOverview(REQUEST, metadata=mesh.dba, timeout=5))
        rebuilt = error_from_rpc(error)
        assert (rebuilt.reason, rebuilt.retry_seconds) == (reason, delay)
        assert "canary" not in repr((error.details(), error.trailing_metadata()))


async def test_a_shard_that_dies_is_unavailable_alone_and_found_again(stack: AsyncExitStack, tmp_path: Path) -> None:
    mesh = await start_mesh(stack, tmp_path)
    shard = mesh.shards["eu-west-1"]
    address = shard.address
    await shard.server.stop(0)
    error = error_from_rpc(await failure(mesh.diagnostics.GetOverview(REQUEST, metadata=mesh.dba, timeout=5)))
    assert error.reason is Reason.SHARD_UNAVAILABLE
    assert error.retry_seconds
    other = diagnostics.GetOverviewRequest(name="regions/us-east-1/instances/orders-2")
    await mesh.diagnostics.GetOverview(other, metadata=mesh.dba, timeout=5)

    await stack.enter_async_context(ScriptedShard(mesh.issuer, FLEET["eu-west-1"], listen=address))
    for _ in range(50):
        call = mesh.diagnostics.GetOverview(REQUEST, metadata=mesh.dba, timeout=5)
        if await call.code() is grpc.StatusCode.OK:
            break
        await asyncio.sleep(0.1)
    assert await call.code() is grpc.StatusCode.OK


async def test_a_region_never_heard_of_is_told_only_to_those_who_could_hold_a_grant_there(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    mesh = await start_mesh(stack, tmp_path, away=("us-east-1",))
    away = diagnostics.GetOverviewRequest(name="regions/us-east-1/instances/orders-2")
    call = mesh.diagnostics.GetOverview(away, metadata=mesh.dba, timeout=5)
    assert await reason_of(call) is Reason.SHARD_UNAVAILABLE
    nobody = mesh.user("orders", roles=())
    assert await reason_of(mesh.diagnostics.GetOverview(away, metadata=nobody, timeout=5)) is Reason.RPC_NOT_PERMITTED


async def test_a_grant_in_one_region_says_nothing_of_another_that_was_never_heard_of(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "local.csv").write_text(
        "role, guest, Reads one region\np, role:guest, region=eu-west-1, diagnostics.read, schema, never, allow\n"
    )
    mesh = await start_mesh(stack, tmp_path, away=("us-east-1",), configuration=CONFIGURATION + "policy: policy\n")
    guest = mesh.user(roles=("guest",))
    away = diagnostics.GetOverviewRequest(name="regions/us-east-1/instances/orders-2")
    assert await reason_of(mesh.diagnostics.GetOverview(away, metadata=guest, timeout=5)) is Reason.RESOURCE_NOT_FOUND


async def test_a_cancelled_call_is_cancelled_at_the_shard(mesh: Mesh) -> None:
    servicer = mesh.shards["eu-west-1"].servicer
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    servicer.script = wait
    stream = mesh.diagnostics.StreamHealth
    for method, request in (
        (mesh.diagnostics.GetOverview, REQUEST),
        (stream, diagnostics.StreamHealthRequest(name="regions/eu-west-1")),
        (stream, diagnostics.StreamHealthRequest(name="regions/-")),
    ):
        started.clear()
        ended.clear()
        call = method(request, metadata=mesh.dba)
        await asyncio.wait_for(started.wait(), 3)
        assert call.cancel()
        await asyncio.wait_for(ended.wait(), 3)
        assert call.cancelled()


async def test_the_coordinators_own_bad_token_is_not_blamed_on_the_caller(mesh: Mesh) -> None:
    mesh.token_file.write_text(mesh.issuer.issue_service("coordinator", ttl_seconds=-1))
    call = mesh.diagnostics.GetOverview(REQUEST, metadata=mesh.dba, timeout=5)
    assert await reason_of(call) is Reason.SHARD_UNAVAILABLE


async def test_questions_go_to_the_agent_in_the_askers_name(mesh: Mesh) -> None:
    stream = mesh.ask.Ask(agent_pb2.AskRequest(question="why?"), metadata=mesh.user("orders"), timeout=5)
    events = [event async for event in stream]
    assert events[0].session_started.session_id == "user:alice"
    assert events[1].notice.text == "why?"
    answer = await mesh.ask.GetSession(agent_pb2.GetSessionRequest(session_id="s"), metadata=mesh.user("orders"))
    assert answer.session.session_id == "s"
    denied = mesh.ask.Ask(agent_pb2.AskRequest(), metadata=mesh.user("orders", roles=()))
    assert await reason_of(denied) is Reason.RPC_NOT_PERMITTED
    acting = ("x-storex-actor", mesh.issuer.issue_service("agent"))
    again = mesh.ask.Ask(agent_pb2.AskRequest(), metadata=(*mesh.user("orders"), acting))
    assert await reason_of(again) is Reason.RPC_NOT_PERMITTED

    await mesh.agent.server.stop(0)
    gone = mesh.ask.Ask(agent_pb2.AskRequest(), metadata=mesh.user("orders"), timeout=5)
    assert await reason_of(gone) is Reason.AGENT_UNAVAILABLE


async def test_a_pages_shard_answer_is_the_callers_share(mesh: Mesh) -> None:
    listed = await mesh.fleet.ListInstances(
        fleet.ListInstancesRequest(name="regions/eu-west-1"), metadata=mesh.user("payments"), timeout=5
    )
    assert [item.name for item in listed.instances] == [PAYMENTS]
