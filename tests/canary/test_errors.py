"""Bad names, malformed bytes, databases that refuse in their own words, and calls that are cut short."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from libs.identity import LocalIssuer
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL
from tests.canary.garden import INSTANCE, REGION, ROLES, Garden
from tests.canary.markers import seen, sightings
from tests.canary.requests import malformed
from tests.canary.wire import Answer, call, to_coordinator, to_shard

_OF_INSTANCES = [method for method in METHODS if method.scope == SCOPE_REGION and not method.server_streaming]
_FAILING = ("locked-1", "hostile-1", "silent-1", "absent-1")


@pytest.mark.parametrize("role", ["viewer", pytest.param("dba", marks=pytest.mark.slow)])
async def test_malformed_requests(garden: Garden, role: str) -> None:
    issuer = LocalIssuer.open(garden.state_dir)
    doors = {garden.coordinator: to_coordinator(issuer, role), garden.shard: to_shard(issuer, role)}
    refused = 0
    for address, metadata in doors.items():
        async with open_channel(address) as channel:
            for method in METHODS:
                answers = await asyncio.gather(
                    *(call(channel, method, request, metadata) for request in malformed(method))
                )
                for answer in answers:
                    refused += answer.code is not grpc.StatusCode.OK
                    assert not {found for found in sightings(answer.seen) if found.sensitivity not in ROLES[role].clear}
    assert refused > 2 * len(METHODS)


@pytest.mark.parametrize("role", ["oncall", pytest.param("viewer", marks=pytest.mark.slow)])
async def test_databases_that_cannot_be_read(garden: Garden, role: str) -> None:
    """The account in the configuration is no secret of the database's clients, and is not told either."""
    issuer = LocalIssuer.open(garden.state_dir)
    failed: set[str] = set()
    async with open_channel(garden.coordinator) as channel:

        async def one(method: MethodInfo, name: str) -> None:
            request = method.request_type(name=f"regions/{REGION}/instances/{name}").SerializeToString()
            answer = await call(channel, method, request, to_coordinator(issuer, role))
            assert not sightings(answer.seen), f"{method.full_method} {name}"
            if answer.code is not grpc.StatusCode.OK:
                failed.add(name)

        await asyncio.gather(*(one(method, name) for method in _OF_INSTANCES for name in _FAILING))
    assert failed == set(_FAILING)


async def test_calls_that_are_cut_short(garden: Garden) -> None:
    issuer = LocalIssuer.open(garden.state_dir)
    answers: list[Answer] = []
    async with open_channel(garden.coordinator) as channel:
        for seconds in (0.001, 0.01, 0.03):
            for method in _OF_INSTANCES:
                request = method.request_type(name=INSTANCE).SerializeToString()
                answers.append(await call(channel, method, request, to_coordinator(issuer, "dba"), seconds=seconds))
    assert any(answer.code is grpc.StatusCode.DEADLINE_EXCEEDED for answer in answers)
    assert not [found for answer in answers for found in seen(answer.seen, CUSTOMER)]


@pytest.mark.parametrize("token", ["", "no.token.at.all", "expired"])
async def test_callers_without_a_valid_token(garden: Garden, token: str) -> None:
    expired = LocalIssuer.open(garden.state_dir).issue_user("late", ["shop"], ["dba"], ttl_seconds=-3600)
    text = expired if token == "expired" else token
    async with open_channel(garden.coordinator) as channel:
        for method in METHODS:
            request = method.request_type().SerializeToString()
            answer = await call(channel, method, request, (("authorization", f"Bearer {text}"),))
            assert answer.code is grpc.StatusCode.UNAUTHENTICATED
            assert not sightings(answer.seen)


async def test_the_region_answers_nobody_but_the_coordinator(garden: Garden) -> None:
    issuer = LocalIssuer.open(garden.state_dir)
    async with open_channel(garden.shard) as channel:
        for method in _OF_INSTANCES:
            request = method.request_type(name=INSTANCE).SerializeToString()
            answer = await call(channel, method, request, to_coordinator(issuer, "dba"))
            assert answer.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
            assert not seen(answer.seen, PRINCIPAL) | seen(answer.seen, CUSTOMER)
