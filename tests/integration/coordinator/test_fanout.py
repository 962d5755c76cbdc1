"""Wildcard calls: everybody who can answers, and who cannot is an error in the answer."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from libs.core.errors import Reason, StatusCode, StorexError
from libs.rpc.status import error_from_rpc
from services.coordinator import fanout
from storex.diagnostics.v1 import diagnostics_pb2 as diagnostics
from storex.fleet.v1 import fleet_pb2 as fleet
from tests.integration.coordinator.conftest import CONFIGURATION, FLEET, Mesh, start_mesh
from tests.integration.rpc.scripted import ScriptedShard, failure


async def health(mesh: Mesh, name: str, metadata: Any, seconds: float = 5) -> tuple[set[str], dict[str, Any]]:
    """Names that answered, and the errors by region."""
    stream = mesh.diagnostics.StreamHealth(
        diagnostics.StreamHealthRequest(name=name), metadata=metadata, timeout=seconds
    )
    messages = [message async for message in stream]
    errors = {m.region_error.name: m.region_error for m in messages if m.HasField("region_error")}
    return {m.health.observation.name for m in messages if m.HasField("health")}, errors


async def test_a_wildcard_covers_what_the_caller_may_see_in_every_region(mesh: Mesh) -> None:
    orders = {"regions/eu-west-1/instances/orders-1", "regions/us-east-1/instances/orders-2"}
    for name, teams, expected in (
        ("regions/-", ("orders",), orders),
        ("regions/-/instances/-", ("orders",), orders),
        ("regions/-/instances/orders-2", ("orders",), {"regions/us-east-1/instances/orders-2"}),
        ("regions/eu-west-1/instances/-", ("orders",), {"regions/eu-west-1/instances/orders-1"}),
        ("regions/-", ("payments",), {"regions/eu-west-1/instances/payments-1"}),
        ("regions/-", ("nobody",), set()),
    ):
        assert await health(mesh, name, mesh.user(*teams)) == (expected, {}), (name, teams)
    assert len((await health(mesh, "regions/-", mesh.dba))[0]) == 3


async def test_only_regions_with_something_to_see_are_asked(mesh: Mesh) -> None:
    await health(mesh, "regions/-", mesh.user("payments"))
    assert len(mesh.shards["eu-west-1"].servicer.calls) == 1
    assert mesh.shards["us-east-1"].servicer.calls == []


async def test_a_dead_region_is_an_error_in_the_answer(mesh: Mesh) -> None:
    await mesh.shards["us-east-1"].server.stop(0)
    answered, errors = await health(mesh, "regions/-", mesh.user("orders"))
    assert answered == {"regions/eu-west-1/instances/orders-1"}
    (error,) = errors.values()
    assert (error.name, error.reason) == ("regions/us-east-1", "SHARD_UNAVAILABLE")
    assert error.code == StatusCode.UNAVAILABLE
    assert error.retry_delay.seconds == 2
    assert "Other regions are not affected" in error.message
    listed = mesh.fleet.StreamInstances(fleet.StreamInstancesRequest(name="regions/-"), metadata=mesh.dba, timeout=5)
    kinds = [message.WhichOneof("result") async for message in listed]
    assert sorted(kinds) == ["instance", "instance", "region_error"]


async def test_a_region_never_heard_of_is_an_error_in_the_answer_of_those_who_could_see_it(
    stack: AsyncExitStack, tmp_path: Path
) -> None:
    mesh = await start_mesh(stack, tmp_path, away=("us-east-1",))
    for name in ("regions/-", "regions/us-east-1/instances/-"):
        _, errors = await health(mesh, name, mesh.dba)
        assert set(errors) == {"regions/us-east-1"}


async def test_a_silent_region_does_not_hold_the_others_up(mesh: Mesh) -> None:
    mesh.shards["us-east-1"].servicer.script = lambda: asyncio.sleep(60)
    answered, errors = await health(mesh, "regions/-", mesh.user("orders"), seconds=1.5)
    assert answered == {"regions/eu-west-1/instances/orders-1"}
    assert errors["regions/us-east-1"].reason == "SHARD_UNAVAILABLE"
    await asyncio.wait_for(mesh.shards["us-east-1"].servicer.ended.wait(), 3)


@pytest.mark.parametrize("reason", [Reason.RATE_LIMITED, Reason.RESOURCE_NOT_FOUND, Reason.INTERNAL])
async def test_a_regions_refusal_is_told_as_its_own(mesh: Mesh, reason: Reason) -> None:
    async def refuse() -> None:
        raise StorexError(reason, detail="canary")

    mesh.shards["us-east-1"].servicer.script = refuse
    answered, errors = await health(mesh, "regions/-", mesh.user("orders"))
    assert len(answered) == 1
    error = errors["regions/us-east-1"]
    assert (error.reason, error.code) == (reason.name, int(reason.spec.status))
    assert "canary" not in error.message
    assert "?" not in error.message


async def test_the_name_of_a_single_region_fails_as_a_call(mesh: Mesh) -> None:
    await mesh.shards["us-east-1"].server.stop(0)
    stream = mesh.fleet.StreamInstances(
        fleet.StreamInstancesRequest(name="regions/us-east-1"), metadata=mesh.dba, timeout=5
    )
    assert error_from_rpc(await failure(stream)).reason is Reason.SHARD_UNAVAILABLE


async def test_a_right_that_ends_ends_the_stream(stack: AsyncExitStack, tmp_path: Path) -> None:
    rules = tmp_path / "policy" / "local.csv"
    rules.parent.mkdir()
    rules.write_text("")
    mesh = await start_mesh(stack, tmp_path, configuration=CONFIGURATION + "policy: policy\n")
    # The scripted shards do not read this folder, so it is the coordinator that ends the stream.
    for shard in mesh.shards.values():
        shard.servicer.script = lambda: asyncio.sleep(2.5)
    stream = mesh.diagnostics.StreamHealth(
        diagnostics.StreamHealthRequest(name="regions/-"), metadata=mesh.dba, timeout=20
    )
    await asyncio.sleep(0.2)
    rules.write_text("p, user:alice, *, *, public, never, deny\n")
    assert error_from_rpc(await failure(stream)).reason is Reason.RPC_NOT_PERMITTED


async def test_a_lasting_stream_may_be_silent_and_asks_a_region_again_that_went_away(
    stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "SILENCE_SECONDS", 0.2)
    monkeypatch.setattr(fanout, "REJOIN_SECONDS", 0.5)
    mesh = await start_mesh(stack, tmp_path)
    away = mesh.shards["us-east-1"]
    stream = mesh.diagnostics.WatchHealth(
        diagnostics.WatchHealthRequest(name="regions/-"), metadata=mesh.user("orders"), timeout=30
    )
    told = aiter(stream)
    first = {(await anext(told)).health.observation.name for _ in range(2)}
    assert first == {"regions/eu-west-1/instances/orders-1", "regions/us-east-1/instances/orders-2"}
    listening = asyncio.ensure_future(anext(told))
    await asyncio.sleep(0.6)
    assert not listening.done(), "silence is no failure of a region"
    port = away.address
    await away.server.stop(0)
    assert (await listening).region_error.name == "regions/us-east-1"
    async with ScriptedShard(mesh.issuer, FLEET["us-east-1"], listen=port):
        back = await anext(told)
        while back.HasField("region_error"):
            back = await anext(told)
        assert back.health.observation.name == "regions/us-east-1/instances/orders-2"
        stream.cancel()
        await asyncio.wait_for(mesh.shards["eu-west-1"].servicer.ended.wait(), 3)
