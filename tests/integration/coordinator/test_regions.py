"""ListRegions and the inventory behind it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from libs.core.errors import Reason
from libs.rpc.status import error_from_rpc
from storex.fleet.v1 import fleet_pb2 as fleet
from tests.integration.coordinator.conftest import Mesh, start_mesh
from tests.integration.rpc.scripted import failure


async def regions(mesh: Mesh, metadata: Any, **request: Any) -> list[fleet.Region]:
    answer = await mesh.fleet.ListRegions(
        fleet.ListRegionsRequest(**request),
        metadata=metadata,
        timeout=5,
    )
    return list(answer.regions)


async def test_each_sees_the_regions_and_counts_of_their_own_instances(mesh: Mesh) -> None:
    everything = await regions(mesh, mesh.dba)
    assert [(r.name, r.instance_count, r.health, r.domain, r.cloud) for r in everything] == [
        ("regions/eu-west-1", 2, fleet.HEALTH_UP, "gdpr", "aws"),
        ("regions/us-east-1", 1, fleet.HEALTH_UP, "us", "gcp"),
    ]
    assert [(r.name, r.instance_count) for r in await regions(mesh, mesh.user("payments"))] == [
        ("regions/eu-west-1", 1)
    ]
    assert await regions(mesh, mesh.user("nobody")) == []
    denied = mesh.fleet.ListRegions(fleet.ListRegionsRequest(), metadata=mesh.user("orders", roles=()))
    assert error_from_rpc(await failure(denied)).reason is Reason.RPC_NOT_PERMITTED


async def test_pages_follow_each_other_and_foreign_tokens_are_told(mesh: Mesh) -> None:
    first = await mesh.fleet.ListRegions(fleet.ListRegionsRequest(page_size=1), metadata=mesh.dba)
    rest = await regions(mesh, mesh.dba, page_size=1, page_token=first.next_page_token)
    assert [first.regions[0].name, rest[0].name] == ["regions/eu-west-1", "regions/us-east-1"]
    for request, reason in (
        (fleet.ListRegionsRequest(page_token="made-up"), Reason.PAGE_TOKEN_INVALID),
        (fleet.ListRegionsRequest(page_size=-1), Reason.REQUEST_INVALID),
    ):
        assert error_from_rpc(await failure(mesh.fleet.ListRegions(request, metadata=mesh.dba))).reason is reason
    malformed = mesh.channel.unary_unary("/storex.fleet.v1.FleetService/ListRegions")(b"\xff", metadata=mesh.dba)
    assert error_from_rpc(await failure(malformed)).reason is Reason.REQUEST_MALFORMED


async def test_a_region_whose_shard_is_away_is_down_and_keeps_its_instances(mesh: Mesh) -> None:
    await mesh.shards["us-east-1"].server.stop(0)
    for _ in range(60):
        down = (await regions(mesh, mesh.user("orders")))[1]
        if down.health == fleet.HEALTH_DOWN:
            break
        await asyncio.sleep(0.1)
    assert (down.health, down.reason, down.instance_count) == (fleet.HEALTH_DOWN, "SHARD_UNAVAILABLE", 1)


async def test_a_region_never_heard_of_is_shown_down(stack: AsyncExitStack, tmp_path: Path) -> None:
    mesh = await start_mesh(stack, tmp_path, away=("us-east-1",))
    assert [(r.name, r.health) for r in await regions(mesh, mesh.dba)] == [
        ("regions/eu-west-1", fleet.HEALTH_UP),
        ("regions/us-east-1", fleet.HEALTH_DOWN),
    ]
