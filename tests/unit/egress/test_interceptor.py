from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from libs.core.resources import Resource
from libs.identity.principal import Caller, Principal
from libs.policy import load_policy
from libs.rpc.call import CallContext, enter_call
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from libs.sensitivity.tokens import TOKEN, Tokeniser
from services.shard.egress.interceptor import EgressInterceptor
from services.shard.egress.rules import DomainRule, EgressRules, Treatment
from services.shard.egress.step import EgressStep
from storex.diagnostics.v1 import diagnostics_pb2
from tests.planted import MARKS, planted

ORDERS = Resource("west", "gdpr", "aws", "prod", "payments", "orders-1")
USERS = Resource("west", "gdpr", "aws", "prod", "accounts", "users-1")
PUBLIC, SCHEMA, PRINCIPAL, CUSTOMER = MARKS.values()
REGION_METHODS = [method for method in METHODS if method.scope == SCOPE_REGION]


def _caller(*roles: str, teams: tuple[str, ...] = ("payments",)) -> Caller:
    user = Principal("user:u", "user", frozenset(teams), frozenset(roles), 2e9)
    return Caller(user, Principal("service:agent", "service", frozenset(), frozenset({"agent"}), 2e9))


def _enter(method: MethodInfo, caller: Caller, *resources: Resource) -> None:
    call = CallContext("req_1", method.full_method, method, caller=caller, resources=resources)
    call.name = parse_name("regions/west/instances/orders-1")
    enter_call(call)


def _step(rules: EgressRules | None = None) -> EgressStep:
    return EgressStep(lambda: rules or EgressRules(), Tokeniser("west", lambda: (b"k" * 32,)), load_policy(None))


def _unary(serve: Callable[[Any, Any], Awaitable[Any]]) -> Any:
    return grpc.unary_unary_rpc_method_handler(serve)


async def _answers(
    handler: Any, step: EgressStep, method: str = "/storex.x.v1.S/M", context: object = None
) -> list[Any]:
    async def continuation(_: object) -> Any:
        return handler

    details: Any = SimpleNamespace(method=method, invocation_metadata=())
    wrapped = await EgressInterceptor(step).intercept_service(continuation, details)
    if wrapped.response_streaming:
        async with aclosing(wrapped.unary_stream(b"", context)) as messages:
            return [message async for message in messages]
    return [await wrapped.unary_unary(b"", context)]


def _handler(method: MethodInfo, messages: list[Message]) -> Iterator[Any]:
    async def stream(_request: object, _context: object) -> AsyncIterator[Message]:
        for message in messages:
            yield message

    if method.server_streaming:
        yield grpc.unary_stream_rpc_method_handler(stream)
        return
    for message in messages:

        async def serve(_request: object, _context: object, message: Message = message) -> Message:
            return message

        yield _unary(serve)


async def _left(method: MethodInfo, caller: Caller, step: EgressStep) -> tuple[str, str]:
    """What was planted in a method's responses, and what of it came out."""
    messages = list(planted(method.response_type))
    _enter(method, caller, ORDERS)
    out = [answer for handler in _handler(method, messages) for answer in await _answers(handler, step)]
    return " ".join(map(str, messages)), " ".join(map(str, out))


@pytest.mark.parametrize("method", REGION_METHODS, ids=lambda method: method.full_method)
@pytest.mark.parametrize("role", ["viewer", "on-call", "dba"])
async def test_every_response_leaves_as_class_and_role_say(method: MethodInfo, role: str) -> None:
    caller = _caller(role)
    planted_text, left = await _left(method, caller, _step())
    assert CUSTOMER not in left
    assert (PRINCIPAL in left) == (PRINCIPAL in planted_text and role != "viewer")
    assert bool(TOKEN.search(left)) == (PRINCIPAL in planted_text and role == "viewer")
    # Who may not make the call at all never gets an answer; egress then lets nothing but PUBLIC through.
    permitted = load_policy(None).decide(caller.principals, method.permission, ORDERS).allowed
    assert (SCHEMA in left) == (SCHEMA in planted_text and permitted)
    assert (PUBLIC in left) == (PUBLIC in planted_text)


async def test_the_plants_cover_every_class() -> None:
    everything = " ".join(str(message) for method in REGION_METHODS for message in planted(method.response_type))
    assert all(mark in everything for mark in MARKS.values())


async def test_the_regions_rules_narrow_what_policy_allows() -> None:
    method = METHODS.get("/storex.diagnostics.v1.DiagnosticsService/GetConnections")
    assert method is not None
    for treatment, seen in ((Treatment.TOKEN, True), (Treatment.DROP, False)):
        rules = EgressRules({"gdpr": DomainRule({"dba": treatment})})
        _, left = await _left(method, _caller("dba"), _step(rules))
        assert PRINCIPAL not in left
        assert bool(TOKEN.search(left)) is seen


async def test_each_message_of_a_stream_is_judged_by_its_own_instance() -> None:
    method = METHODS.get("/storex.diagnostics.v1.DiagnosticsService/StreamHealth")
    assert method is not None

    def health(name: str) -> Message:
        message = diagnostics_pb2.StreamHealthResponse()
        message.health.observation.name = name
        message.health.findings.add().entities.add(type="user", value="bob")
        return message

    # On call for one team and a viewer of nothing else: what is not theirs is never shown in clear.
    caller = _caller("on-call", teams=("payments",))
    _enter(method, caller, ORDERS, USERS)
    messages = [health("regions/west/instances/orders-1"), health("regions/west/instances/users-1"), health("?")]
    (handler,) = _handler(method, messages)
    values = [message.health.findings[0].entities[0].value for message in await _answers(handler, _step())]
    assert values[0] == "bob"
    assert "bob" not in values[1:]


async def test_the_same_principal_has_the_same_token_in_every_answer() -> None:
    lock_waits = diagnostics_pb2.GetLockWaitsResponse()
    lock_waits.holders.add().session.user = "bob"
    health = diagnostics_pb2.GetHealthResponse()
    health.health.findings.add().entities.add(type="user", value="bob")
    found = set()
    for message in (lock_waits, health):
        _enter(REGION_METHODS[0], _caller("viewer"), ORDERS)
        (handler,) = _handler(REGION_METHODS[0], [message])
        found.update(TOKEN.findall(str(await _answers(handler, _step()))))
    assert len(found) == 1


@pytest.mark.parametrize("answer", [b"cus-mark", None, "cus-mark"])
async def test_what_has_no_classes_does_not_leave(answer: object) -> None:
    async def serve(_request: object, _context: object) -> object:
        return answer

    _enter(REGION_METHODS[0], _caller("dba"), ORDERS)
    with pytest.raises(StorexError, match="INTERNAL"):
        await _answers(_unary(serve), _step())


async def test_nothing_is_answered_to_nobody() -> None:
    (handler, *_) = _handler(REGION_METHODS[0], list(planted(REGION_METHODS[0].response_type)))
    enter_call(CallContext("req_1", "/x", None))
    with pytest.raises(StorexError, match="INTERNAL"):
        await _answers(handler, _step())


async def test_the_text_of_a_failure_stays(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(_request: object, _context: object) -> Message:
        try:
            raise ValueError("Duplicate entry 'cus-mark' for key")
        except ValueError as error:
            raise RuntimeError("cus-mark") from error

    _enter(REGION_METHODS[0], _caller("dba"), ORDERS)
    with caplog.at_level(logging.DEBUG), pytest.raises(StorexError) as caught:
        await _answers(_unary(serve), _step())
    assert caught.value.reason is Reason.INTERNAL
    assert caught.value.__suppress_context__
    assert "cus-mark" not in caplog.text + str(caught.value) + repr(vars(caplog.records[0]))
    assert vars(caplog.records[0])["error_type"] == "RuntimeError"


async def test_a_catalogue_error_keeps_its_reason_and_the_values_that_its_text_names() -> None:
    async def stream(_request: object, _context: object) -> AsyncIterator[Message]:
        yield diagnostics_pb2.StreamHealthResponse()
        error = StorexError(Reason.DATABASE_ERROR, detail="near 'cus-mark'", retry_seconds=3.0)
        error.metadata = {"error_code": "1062 'cus-mark'", "statement": "cus-mark"}
        raise error

    _enter(REGION_METHODS[0], _caller("dba"), ORDERS)
    with pytest.raises(StorexError) as caught:
        await _answers(grpc.unary_stream_rpc_method_handler(stream), _step())
    assert (caught.value.reason, caught.value.retry_seconds) == (Reason.DATABASE_ERROR, 3.0)
    assert caught.value.metadata == {"error_code": "1062 [quoted]"}
    assert caught.value.detail == ""


@pytest.mark.parametrize(
    "use",
    [
        "abort",
        "abort_with_status",
        "set_details",
        "set_trailing_metadata",
        "send_initial_metadata",
        "set_code",
        "write",
    ],
)
async def test_a_handler_has_no_other_way_out(use: str) -> None:
    said: list[object] = []
    context = SimpleNamespace(**{use: said.append})

    async def serve(_request: object, view: Any) -> Message:
        getattr(view, use)("cus-mark")
        return diagnostics_pb2.GetHealthResponse()

    _enter(REGION_METHODS[0], _caller("dba"), ORDERS)
    with pytest.raises(StorexError, match="INTERNAL"):
        await _answers(_unary(serve), _step(), context=context)
    assert said == []


async def test_a_handler_may_read_its_context() -> None:
    async def serve(_request: object, view: Any) -> Message:
        return diagnostics_pb2.GetOverviewResponse(uptime_seconds=view.time_remaining())

    _enter(REGION_METHODS[0], _caller("dba"), ORDERS)
    (answer,) = await _answers(_unary(serve), _step(), context=SimpleNamespace(time_remaining=lambda: 5.0))
    assert answer.uptime_seconds == 5.0


async def test_closing_a_stream_closes_the_handlers() -> None:
    closed = []

    async def stream(_request: object, _context: object) -> AsyncIterator[Message]:
        try:
            while True:
                yield diagnostics_pb2.StreamHealthResponse()
        finally:
            closed.append(True)

    async def continuation(_: object) -> Any:
        return grpc.unary_stream_rpc_method_handler(stream)

    _enter(REGION_METHODS[0], _caller("dba"), ORDERS)
    details: Any = SimpleNamespace(method="/storex.x.v1.S/M", invocation_metadata=())
    wrapped = await EgressInterceptor(_step()).intercept_service(continuation, details)
    async with aclosing(wrapped.unary_stream(b"", None)) as messages:
        await anext(messages)
    assert closed == [True]


async def test_health_and_reflection_pass_untouched() -> None:
    async def serve(_request: object, _context: object) -> bytes:
        return b"serving"

    handler = _unary(serve)
    assert await _answers(handler, _step(), "/grpc.health.v1.Health/Check") == [b"serving"]
