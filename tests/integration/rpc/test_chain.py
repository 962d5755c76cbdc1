"""What an attacker, a stranger and a colleague get from a server, over a real channel."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from libs.core.errors import Reason, StorexError
from libs.identity import LocalIssuer
from libs.rpc.call import outgoing_metadata
from libs.rpc.channels import open_channel
from libs.rpc.interceptors import CallLimits
from libs.rpc.status import error_from_rpc
from libs.telemetry.logs import JsonFormatter
from storex.diagnostics.v1 import diagnostics_pb2 as diagnostics
from storex.diagnostics.v1 import diagnostics_pb2_grpc
from storex.fleet.v1 import fleet_pb2 as fleet
from storex.fleet.v1 import fleet_pb2_grpc
from tests.integration.rpc.conftest import FLEET
from tests.integration.rpc.scripted import ScriptedShard, failure, relayed

OVERVIEW = "/storex.diagnostics.v1.DiagnosticsService/GetOverview"
ORDERS = "regions/eu-west-1/instances/orders-1"
PAYMENTS = "regions/eu-west-1/instances/payments-1"


def on_call(issuer: LocalIssuer, team: str = "orders") -> str:
    return issuer.issue_user("alice", [team], ["on-call"])


def dba(issuer: LocalIssuer) -> str:
    return issuer.issue_user("root", [], ["dba"])


def named(name: str) -> bytes:
    return diagnostics.GetOverviewRequest(name=name).SerializeToString()


def send(channel: Any, metadata: Any, request: bytes = named(ORDERS), method: str = OVERVIEW) -> Any:
    return channel.unary_unary(method)(request, metadata=metadata, timeout=5)


async def refusal(channel: Any, metadata: Any, request: bytes = named(ORDERS), method: str = OVERVIEW) -> Reason:
    return error_from_rpc(await failure(send(channel, metadata, request, method))).reason


async def test_a_permitted_call_is_answered_and_knows_whose_it_is(
    issuer: LocalIssuer, shard: ScriptedShard, channel: grpc.aio.Channel
) -> None:
    stub = diagnostics_pb2_grpc.DiagnosticsServiceStub(channel)
    metadata = (*relayed(issuer, on_call(issuer)), ("x-request-id", "req_0123456789"))
    answer = await stub.GetOverview(diagnostics.GetOverviewRequest(name=ORDERS), metadata=metadata)
    assert answer.version == ORDERS
    (call,) = shard.servicer.calls
    assert call.request_id == "req_0123456789"
    assert call.caller is not None
    assert call.caller.user.subject == "user:alice"
    assert call.decision is not None
    assert call.decision.allowed
    assert [str(resource.name) for resource in call.resources] == [ORDERS]


async def test_without_the_coordinator_in_between_no_call_is_served(
    issuer: LocalIssuer, channel: grpc.aio.Channel
) -> None:
    user = f"Bearer {on_call(issuer)}"
    agent, coordinator = issuer.issue_service("agent"), issuer.issue_service("coordinator")
    missing = (("authorization", user),)
    assert await refusal(channel, missing) is Reason.TOKEN_MISSING
    for forged in (agent, on_call(issuer), dba(issuer), "forged", coordinator[:-4] + "AAAA"):
        assert await refusal(channel, (*missing, ("x-storex-relay", forged))) is Reason.TOKEN_INVALID
    late = issuer.issue_service("coordinator", ttl_seconds=-1)
    assert await refusal(channel, (*missing, ("x-storex-relay", late))) is Reason.TOKEN_EXPIRED
    twice = (*missing, ("x-storex-relay", agent), ("x-storex-relay", coordinator))
    assert await refusal(channel, twice) is Reason.TOKEN_INVALID


async def test_strangers_get_no_further_than_their_token(issuer: LocalIssuer, channel: grpc.aio.Channel) -> None:
    relay = ("x-storex-relay", issuer.issue_service("coordinator"))
    assert await refusal(channel, (relay,)) is Reason.TOKEN_MISSING
    assert await refusal(channel, (relay, ("authorization", "Basic YTpi"))) is Reason.TOKEN_MISSING
    assert await refusal(channel, (relay, ("authorization", "Bearer "))) is Reason.TOKEN_MISSING
    assert await refusal(channel, (relay, ("authorization", "Bearer forged"))) is Reason.TOKEN_INVALID
    expired = issuer.issue_user("alice", ["orders"], ["dba"], ttl_seconds=-1)
    assert await refusal(channel, relayed(issuer, expired)) is Reason.TOKEN_EXPIRED
    twice = (*relayed(issuer, on_call(issuer)), ("authorization", f"Bearer {dba(issuer)}"))
    assert await refusal(channel, twice) is Reason.TOKEN_INVALID
    # A stranger is not told which methods there are either.
    assert await refusal(channel, (relay,), method="/storex.secret.v1.SecretService/Tell") is Reason.TOKEN_MISSING


async def test_an_actor_can_only_narrow_and_never_stands_alone(issuer: LocalIssuer, channel: grpc.aio.Channel) -> None:
    agent = issuer.issue_service("agent")
    assert await refusal(channel, relayed(issuer, agent)) is Reason.TOKEN_INVALID
    assert await refusal(channel, relayed(issuer, agent, actor=agent)) is Reason.TOKEN_INVALID
    assert await refusal(channel, relayed(issuer, on_call(issuer), actor=dba(issuer))) is Reason.TOKEN_INVALID
    nobody = issuer.issue_user("nobody", [], [])
    assert await refusal(channel, relayed(issuer, nobody, actor=agent)) is Reason.RPC_NOT_PERMITTED
    narrowed = relayed(issuer, on_call(issuer), actor=agent)
    assert await refusal(channel, narrowed, named(PAYMENTS)) is Reason.RESOURCE_NOT_FOUND
    assert await send(channel, narrowed)


@pytest.mark.parametrize(
    "method",
    [
        "/storex.diagnostics.v1.DiagnosticsService/DropEverything",
        "/storex.diagnostics.v1.DiagnosticsService/getoverview",
        "/storex.diagnostics.v1.DiagnosticsService/GetOverview/",
        "/storex.secret.v1.SecretService/Tell",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.health.v1.Health/List",
        "/grpc.channelz.v1.Channelz/GetServers",
    ],
)
async def test_what_is_not_declared_is_denied(issuer: LocalIssuer, channel: grpc.aio.Channel, method: str) -> None:
    metadata = relayed(issuer, dba(issuer))
    assert await refusal(channel, metadata, method=method) is Reason.RPC_NOT_PERMITTED
    untyped: Any = channel
    stream = untyped.unary_stream(method)(named(ORDERS), metadata=metadata, timeout=5)
    assert error_from_rpc(await failure(stream)).reason is Reason.RPC_NOT_PERMITTED


async def test_a_declared_method_of_another_service_is_not_offered(
    issuer: LocalIssuer, channel: grpc.aio.Channel
) -> None:
    metadata = relayed(issuer, dba(issuer))
    assert await refusal(channel, metadata, b"", "/storex.agent.v1.AgentService/GetSession") is Reason.UNIMPLEMENTED


async def test_health_and_reflection_need_no_token_and_are_bounded(issuer: LocalIssuer) -> None:
    limits = CallLimits(concurrent_calls=2)
    async with ScriptedShard(issuer, FLEET, limits=limits) as shard, open_channel(shard.address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING

        untyped: Any = channel
        reflection: Any = reflection_pb2_grpc.ServerReflectionStub(untyped)
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        services = [
            s.name async for m in reflection.ServerReflectionInfo(asked) for s in m.list_services_response.service
        ]
        assert "storex.diagnostics.v1.DiagnosticsService" in services

        watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
        for watch in watches:
            await watch.read()
        error = await failure(health.Check(health_pb2.HealthCheckRequest()))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        stream = diagnostics_pb2_grpc.DiagnosticsServiceStub(channel).StreamHealth(
            diagnostics.StreamHealthRequest(name="regions/-"), metadata=relayed(issuer, dba(issuer))
        )
        assert len([message async for message in stream]) == 2
        for watch in watches:
            watch.cancel()


def two_names(first: str, second: str) -> bytes:
    return named(first) + named(second)


@pytest.mark.parametrize(
    ("request_bytes", "reason"),
    [
        (b"", Reason.NAME_INVALID),
        (b"\x0a\x00", Reason.REQUEST_MALFORMED),
        (two_names(ORDERS, PAYMENTS), Reason.REQUEST_MALFORMED),
        (two_names(PAYMENTS, ORDERS), Reason.REQUEST_MALFORMED),
        (two_names(ORDERS, ORDERS), Reason.REQUEST_MALFORMED),
        (named(ORDERS) + b"\x10\x01" + named(PAYMENTS), Reason.REQUEST_MALFORMED),
        (b"\x8a\x00" + named(ORDERS)[1:], Reason.REQUEST_MALFORMED),
        (b"\x0a\xa4\x00" + ORDERS.encode(), Reason.REQUEST_MALFORMED),
        (b"\x0a\xff", Reason.REQUEST_MALFORMED),
        (b"\xff\xff\xff\xff", Reason.REQUEST_MALFORMED),
        (b"\x0a\x02\xc3\x28", Reason.REQUEST_MALFORMED),
        (b"\x08\x07", Reason.NAME_INVALID),
        (named("orders-1"), Reason.NAME_INVALID),
        (named("regions/eu-west-1/instances/../eu-west-1"), Reason.NAME_INVALID),
        (named("regions//instances/orders-1"), Reason.NAME_INVALID),
        (named("regions/eu-west-1/instances/\u043erders-1"), Reason.NAME_INVALID),
        (named(ORDERS + "\n"), Reason.NAME_INVALID),
        (named("regions/" + "a" * 100_000), Reason.NAME_INVALID),
        (named("regions/-/instances/orders-1"), Reason.WILDCARD_NOT_ALLOWED),
        (named("regions/eu-west-1/instances/-"), Reason.WILDCARD_NOT_ALLOWED),
        (named(ORDERS) + b"\x12" + b"\xff\xff\x7f" + b"x" * 100, Reason.REQUEST_MALFORMED),
        (named(ORDERS) + b"\x7a\x80\x80\x10" + b"x" * (256 * 1024), Reason.REQUEST_TOO_LARGE),
    ],
)
async def test_hostile_bytes_get_a_clean_status(
    issuer: LocalIssuer, shard: ScriptedShard, channel: grpc.aio.Channel, request_bytes: bytes, reason: Reason
) -> None:
    assert await refusal(channel, relayed(issuer, dba(issuer)), request_bytes) is reason
    assert shard.servicer.calls == []


async def test_a_request_beyond_the_transports_limit_is_refused(issuer: LocalIssuer, shard: ScriptedShard) -> None:
    unlimited = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(shard.address, options=unlimited) as plain:
        error = await failure(send(plain, relayed(issuer, dba(issuer)), b"\x0a" * (5 << 20)))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_absent_and_ungranted_names_get_the_same_answer(issuer: LocalIssuer, channel: grpc.aio.Channel) -> None:
    metadata = (*relayed(issuer, on_call(issuer)), ("x-request-id", "req_0123456789"))
    names = (PAYMENTS, "regions/eu-west-1/instances/absent", "regions/nowhere/instances/orders-1")
    answers = [await failure(send(channel, metadata, named(name))) for name in names]
    assert {error_from_rpc(error).reason for error in answers} == {Reason.RESOURCE_NOT_FOUND}
    assert len({(error.details(), tuple(error.trailing_metadata())) for error in answers}) == 1


async def test_what_is_permitted_nowhere_is_denied_whatever_the_name(
    issuer: LocalIssuer, channel: grpc.aio.Channel
) -> None:
    metadata = relayed(issuer, issuer.issue_user("eve", [], []))
    for request in (named(ORDERS), named("regions/x/instances/y"), named("no name"), b"", b"\xff"):
        assert await refusal(channel, metadata, request) is Reason.RPC_NOT_PERMITTED


async def test_lists_and_streams_hold_only_what_the_caller_may_see(
    issuer: LocalIssuer, channel: grpc.aio.Channel
) -> None:
    stub = fleet_pb2_grpc.FleetServiceStub(channel)
    metadata = relayed(issuer, on_call(issuer))
    listed = await stub.ListInstances(fleet.ListInstancesRequest(name="regions/eu-west-1"), metadata=metadata)
    assert [item.name for item in listed.instances] == [ORDERS]
    stream = stub.StreamInstances(fleet.StreamInstancesRequest(name="regions/-"), metadata=metadata)
    assert [item.instance.name async for item in stream] == [ORDERS]
    stranger = relayed(issuer, on_call(issuer, "nobody"))
    for name in ("regions/eu-west-1", "regions/nowhere"):
        call = stub.ListInstances(fleet.ListInstancesRequest(name=name), metadata=stranger)
        assert error_from_rpc(await failure(call)).reason is Reason.RESOURCE_NOT_FOUND
    everything = stub.StreamInstances(fleet.StreamInstancesRequest(name="regions/-"), metadata=stranger)
    assert [item async for item in everything] == []


async def test_a_drivers_text_reaches_neither_the_caller_nor_the_log(
    issuer: LocalIssuer, shard: ScriptedShard, channel: grpc.aio.Channel
) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JsonFormatter("shard"))
    logging.getLogger().addHandler(handler)

    async def leak() -> None:
        raise ValueError("Duplicate entry 'canary-4711' for key 'users.email'")

    async def leak_as_detail() -> None:
        raise StorexError(Reason.DATABASE_ERROR, detail="near 'canary-4711' at line 1", error_code="1064")

    async def leak_from_upstream() -> None:
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNKNOWN, details="canary-4711")

    try:
        for script, reason in (
            (leak, Reason.INTERNAL),
            (leak_as_detail, Reason.DATABASE_ERROR),
            (leak_from_upstream, Reason.INTERNAL),
        ):
            shard.servicer.script = script
            error = await failure(send(channel, relayed(issuer, dba(issuer))))
            assert error_from_rpc(error).reason is reason
            assert "canary" not in repr((error.details(), error.trailing_metadata(), error.debug_error_string()))
    finally:
        logging.getLogger().removeHandler(handler)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [line["error_type"] for line in lines if "error_type" in line] == ["ValueError"]
    assert "canary" not in written.getvalue()
    assert dba(issuer)[:20] not in written.getvalue()


async def test_a_call_without_end_is_ended(issuer: LocalIssuer) -> None:
    limits = CallLimits(unary_seconds=0.2, stream_seconds=0.2)
    async with ScriptedShard(issuer, FLEET, limits=limits) as shard, open_channel(shard.address) as channel:
        shard.servicer.script = asyncio.Event().wait  # type: ignore[assignment]
        metadata = relayed(issuer, dba(issuer))
        assert await refusal(channel, metadata) is Reason.DEADLINE_EXCEEDED
        stub = diagnostics_pb2_grpc.DiagnosticsServiceStub(channel)
        stream = stub.StreamHealth(diagnostics.StreamHealthRequest(name="regions/-"), metadata=metadata)
        assert error_from_rpc(await failure(stream)).reason is Reason.DEADLINE_EXCEEDED
        assert shard.servicer.ended.is_set()


async def test_a_cancelled_stream_ends_its_handler(
    issuer: LocalIssuer, shard: ScriptedShard, channel: grpc.aio.Channel
) -> None:
    stub = diagnostics_pb2_grpc.DiagnosticsServiceStub(channel)
    request = diagnostics.StreamHealthRequest(name="regions/eu-west-1")
    for script in (lambda: asyncio.sleep(0.05), lambda: asyncio.sleep(60)):
        shard.servicer.ended.clear()
        shard.servicer.script = script
        stream = stub.StreamHealth(request, metadata=relayed(issuer, dba(issuer)))
        await asyncio.sleep(0.08)
        assert stream.cancel()
        await asyncio.wait_for(shard.servicer.ended.wait(), 3)
        assert stream.cancelled()


async def test_a_stream_ends_with_the_callers_token(
    issuer: LocalIssuer, shard: ScriptedShard, channel: grpc.aio.Channel
) -> None:
    shard.servicer.script = lambda: asyncio.sleep(0.4)
    token = issuer.issue_user("alice", ["orders", "payments"], ["on-call"], ttl_seconds=1)
    stub = diagnostics_pb2_grpc.DiagnosticsServiceStub(channel)
    stream = stub.StreamHealth(
        diagnostics.StreamHealthRequest(name="regions/eu-west-1"), metadata=relayed(issuer, token)
    )
    assert error_from_rpc(await failure(stream)).reason is Reason.TOKEN_EXPIRED


async def test_one_principal_cannot_take_all_places(issuer: LocalIssuer) -> None:
    limits = CallLimits(concurrent_calls=2)
    async with ScriptedShard(issuer, FLEET, limits=limits) as shard, open_channel(shard.address) as channel:
        gate = asyncio.Event()
        shard.servicer.script = gate.wait  # type: ignore[assignment]
        metadata = relayed(issuer, dba(issuer))
        waiting = [send(channel, metadata) for _ in range(2)]
        await asyncio.sleep(0.2)
        assert len(shard.servicer.calls) == 2
        error = await failure(send(channel, metadata))
        rebuilt = error_from_rpc(error)
        assert (rebuilt.reason, rebuilt.retry_seconds) == (Reason.RATE_LIMITED, 1.0)
        other = send(channel, relayed(issuer, on_call(issuer)))
        gate.set()
        assert len(await asyncio.gather(*waiting, other)) == 3
        await send(channel, metadata)


async def test_metadata_is_made_anew_for_each_call_of_a_channel(issuer: LocalIssuer, shard: ScriptedShard) -> None:
    tokens = iter([on_call(issuer), on_call(issuer, "payments")])
    source = lambda: outgoing_metadata(authorization=next(tokens), relay=issuer.issue_service("coordinator"))  # noqa: E731
    async with open_channel(shard.address, source) as channel:
        stub = fleet_pb2_grpc.FleetServiceStub(channel)
        request = fleet.StreamInstancesRequest(name="regions/-")
        seen = [[item.instance.name async for item in stub.StreamInstances(request)] for _ in range(2)]
    assert seen == [[ORDERS], [PAYMENTS]]


async def test_metrics_have_no_label_that_a_caller_chose(
    issuer: LocalIssuer, shard: ScriptedShard, channel: grpc.aio.Channel
) -> None:
    await refusal(channel, relayed(issuer, dba(issuer)), method="/made.up/Method")
    await send(channel, relayed(issuer, dba(issuer)))
    labels = {s.labels["method"] for m in shard.registry.collect() for s in m.samples if "method" in s.labels}
    assert labels == {"undeclared", OVERVIEW}
    value = shard.registry.get_sample_value
    assert value("storex_rpc_calls_total", {"method": OVERVIEW, "code": "OK", "reason": ""}) == 1
    assert value("storex_rpc_active", {"method": OVERVIEW}) == 0


async def test_a_taken_port_is_told(issuer: LocalIssuer, shard: ScriptedShard) -> None:
    second = ScriptedShard(issuer, FLEET, listen=shard.address)
    with pytest.raises(OSError, match="another process"):
        await second.server.start()
