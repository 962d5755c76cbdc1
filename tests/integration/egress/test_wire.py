from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from prometheus_client import CollectorRegistry, generate_latest

from libs.core.errors import Reason, StorexError
from libs.identity import AUDIENCE, ISSUER, LocalIssuer, TokenVerifier
from libs.identity.principal import COORDINATOR
from libs.policy import load_policy
from libs.rpc.channels import open_channel
from libs.rpc.interceptors import InterceptorDeps, server_interceptors
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from libs.rpc.server import RpcServer, ServerSettings
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, PUBLIC
from libs.sensitivity.tokens import TOKEN, Tokeniser, open_keys
from libs.telemetry.spans import Tracing
from services.shard.egress.interceptor import EgressInterceptor
from services.shard.egress.rules import watch_rules
from services.shard.egress.step import EgressStep
from tests.integration.rpc.scripted import StaticDirectory, instance, relayed
from tests.planted import MARKS, planted

METHODS_OF_A_REGION = [method for method in METHODS if method.scope == SCOPE_REGION]
NAME = "regions/eu-west-1/instances/orders-1"


class PlantedServicers:
    """Every method of a region, answering with all that its responses can hold, or failing with `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def handlers(self) -> Iterator[grpc.GenericRpcHandler]:
        for service, methods in groupby(METHODS_OF_A_REGION, key=lambda method: method.service):
            yield grpc.method_handlers_generic_handler(
                service, {method.full_method.rpartition("/")[2]: self._handler(method) for method in methods}
            )

    def _handler(self, method: MethodInfo) -> grpc.RpcMethodHandler[Any, Any]:
        async def stream(_request: object, _context: object) -> AsyncIterator[Message]:
            for message in planted(method.response_type):
                yield message
            if self.error is not None:
                raise self.error

        async def unary(_request: object, _context: object) -> Message:
            if self.error is not None:
                raise self.error
            return next(planted(method.response_type))

        coding: Any = {
            "request_deserializer": method.request_type.FromString,
            "response_serializer": method.response_type.SerializeToString,
        }
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, **coding)
        return grpc.unary_unary_rpc_method_handler(unary, **coding)


class Wire:
    """A client that keeps the bytes."""

    def __init__(self, channel: grpc.aio.Channel, issuer: LocalIssuer, registry: CollectorRegistry) -> None:
        self._channel = channel
        self._issuer = issuer
        self.registry = registry

    async def everything(self, method: MethodInfo, role: str) -> bytes:
        """All that comes back for a call: messages, leading and trailing metadata, and the text of an error."""
        name = NAME if "name" in method.request_type.DESCRIPTOR.fields_by_name else ""
        if method.full_method.endswith(("ListInstances", "StreamInstances")):
            name = NAME.partition("/instances")[0]
        request = method.request_type(name=name).SerializeToString()
        # Who may also post events, for no built-in role that sees tokens may call every method.
        metadata = relayed(self._issuer, self._issuer.issue_user("ann", ["orders"], [role, "deployer"]))
        kind: Any = self._channel.unary_stream if method.server_streaming else self._channel.unary_unary
        call = kind(method.full_method)(request, metadata=metadata)
        seen = bytearray()
        try:
            if method.server_streaming:
                async for message in call:
                    seen += message
            else:
                seen += await call
        except grpc.aio.AioRpcError as error:
            seen += repr((error.details(), error.debug_error_string())).encode()
        return bytes(seen) + repr((await call.initial_metadata(), await call.trailing_metadata())).encode()


@asynccontextmanager
async def _region(folder: Path, servicers: PlantedServicers) -> AsyncIterator[Wire]:
    issuer, policy, registry = LocalIssuer.open(folder), load_policy(None), CollectorRegistry()
    deps = InterceptorDeps(
        verifier=TokenVerifier(issuer.jwks_path, ISSUER, AUDIENCE),
        policy=policy,
        directory=StaticDirectory([instance("eu-west-1", "orders-1", "orders")]),
        relay=COORDINATOR,
        tracing=Tracing("shard"),
        registry=registry,
    )
    tokeniser = Tokeniser("eu-west-1", open_keys(folder / "tokens.keys"))
    egress = EgressInterceptor(EgressStep(watch_rules(None, domains=("gdpr",)), tokeniser, policy))
    server = RpcServer(ServerSettings("127.0.0.1:0"), [*server_interceptors(deps), egress], ())
    server.grpc.add_generic_rpc_handlers(tuple(servicers.handlers()))
    await server.start()
    try:
        async with open_channel(f"127.0.0.1:{server.port}") as channel:
            yield Wire(channel, issuer, registry)
    finally:
        await server.stop(0)


REFUSED = {
    "viewer": {"snapshot.create", "snapshot.delete", "snapshot.export", "snapshot.read", "statements.explain"},
    "on-call": {"snapshot.delete", "snapshot.export", "statements.explain"},
    "dba": set(),
}
"""The permissions that each role does not hold."""


@pytest.mark.parametrize("role", ["viewer", "on-call", "dba"])
async def test_no_byte_on_the_wire_is_above_its_class_and_role(tmp_path: Path, role: str) -> None:
    tokens, refused = 0, set()
    async with _region(tmp_path, PlantedServicers()) as wire:
        for method in METHODS_OF_A_REGION:
            seen = await wire.everything(method, role)
            if b"RPC_NOT_PERMITTED" in seen:
                refused.add(method.permission)
                continue
            planted_bytes = b"".join(message.SerializeToString() for message in planted(method.response_type))
            assert (MARKS[PUBLIC].encode() in seen) == (MARKS[PUBLIC].encode() in planted_bytes), method.full_method
            assert MARKS[CUSTOMER].encode() not in seen, method.full_method
            holds_principals = MARKS[PRINCIPAL].encode() in planted_bytes
            assert (MARKS[PRINCIPAL].encode() in seen) == (holds_principals and role != "viewer"), method.full_method
            tokens += len(TOKEN.findall(seen.decode("utf-8", "replace")))
    assert (tokens > 0) == (role == "viewer")
    assert refused == REFUSED[role]


_SECRET = "4111-cus-mark-1111"


def _driver_error() -> Exception:
    error = RuntimeError(f"(1062, \"Duplicate entry '{_SECRET}' for key 'PRIMARY'\")")
    error.__cause__ = ValueError(f"INSERT INTO t VALUES ('{_SECRET}')")
    return error


def _catalogue_error() -> StorexError:
    error = StorexError(Reason.DATABASE_ERROR, detail=_SECRET, error_code=f"'{_SECRET}'", statement=_SECRET)
    error.__cause__ = _driver_error()
    return error


@pytest.mark.parametrize(
    "make_error", [_driver_error, _catalogue_error, lambda: StorexError(Reason.INTERNAL, detail=_SECRET)]
)
async def test_no_error_quotes_a_statement_on_the_wire_in_the_log_or_in_a_metric(
    tmp_path: Path, make_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    servicers = PlantedServicers()
    with caplog.at_level(logging.DEBUG):
        async with _region(tmp_path, servicers) as wire:
            for method in METHODS_OF_A_REGION:
                servicers.error = make_error()
                seen = await wire.everything(method, "dba")
                assert b"grpc-status-details-bin" in seen, "the call was to fail"
                assert _SECRET.encode() not in seen
            assert _SECRET not in generate_latest(wire.registry).decode()
    logged = caplog.text + " ".join(repr(vars(record)) for record in caplog.records)
    assert caplog.records
    assert _SECRET not in logged
