"""Streams end with the right that they stand on, at the shard and at the coordinator, also while they are silent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from libs.core.errors import Reason
from libs.identity import LocalIssuer
from libs.policy import ReloadingPolicy
from libs.rpc.channels import open_channel
from libs.rpc.status import error_from_rpc
from storex.diagnostics.v1.diagnostics_pb2 import StreamHealthRequest
from storex.diagnostics.v1.diagnostics_pb2_grpc import DiagnosticsServiceStub
from tests.integration.coordinator.conftest import CONFIGURATION, start_mesh
from tests.integration.rpc.scripted import Script, ScriptedShard, failure, instance, relayed

SILENT: Script = lambda: asyncio.sleep(30)  # noqa: E731
MANY = tuple(instance("eu-west-1", f"orders-{number}", "orders") for number in range(200))
"""As many messages as a stream has instances."""
ROLE = "role, on-call, For a while\np, role:on-call, team=$own, diagnostics.read, principal, {until}, allow\n"
LINK = (
    "role, on-call, By a link\nrole, guest, Lent\n"
    "p, role:guest, team=orders, diagnostics.read, principal, never, allow\ng, user:alice, role:guest, {until}\n"
)
DENY = "p, user:alice, *, *, public, never, deny\n"


def soon(seconds: float = 2) -> str:
    return datetime.fromtimestamp(time.time() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "policy"
    made.mkdir()
    return made


async def stream_at_a_shard(
    stack: AsyncExitStack, folder: Path, issuer: LocalIssuer, script: Script, metadata: Any
) -> Any:
    policy = ReloadingPolicy(folder)
    watching = asyncio.create_task(policy.watch(0.2))
    stack.callback(watching.cancel)
    shard = await stack.enter_async_context(ScriptedShard(issuer, MANY, policy=policy))
    shard.servicer.script = script
    channel: Any = await stack.enter_async_context(open_channel(shard.address))
    request = StreamHealthRequest(name="regions/eu-west-1")
    return DiagnosticsServiceStub(channel).StreamHealth(request, metadata=metadata, timeout=20)


async def stream_at_the_coordinator(
    stack: AsyncExitStack, folder: Path, _issuer: LocalIssuer, script: Script, _metadata: Any
) -> Any:
    # The scripted shards go by the built-in policy, so it is the coordinator that ends the stream.
    mesh = await start_mesh(stack, folder.parent, configuration=CONFIGURATION + "policy: policy\n")
    for shard in mesh.shards.values():
        shard.servicer.script = script
    request = StreamHealthRequest(name="regions/eu-west-1")
    return mesh.diagnostics.StreamHealth(request, metadata=mesh.user("orders"), timeout=20)


async def end_of(stream: Any) -> tuple[Reason, float]:
    """Why the stream ended, and after how many seconds."""
    started = time.monotonic()
    error = await failure(stream)
    return error_from_rpc(error).reason, time.monotonic() - started


async def note_arrivals(stream: Any, arrived: list[float]) -> None:
    async for _ in stream:
        arrived.append(time.time())


DOORS: list[Callable[..., Awaitable[Any]]] = [stream_at_a_shard, stream_at_the_coordinator]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("rules", [ROLE, LINK], ids=["grant", "role link"])
async def test_a_silent_stream_ends_with_the_grant(
    folder: Path, issuer: LocalIssuer, door: Callable[..., Awaitable[Any]], rules: str
) -> None:
    async with AsyncExitStack() as stack:
        (folder / "roles.csv").write_text(rules.format(until=soon()))
        metadata = relayed(issuer, issuer.issue_user("alice", ["orders"], ["on-call"]))
        reason, seconds = await end_of(await door(stack, folder, issuer, SILENT, metadata))
    assert (reason, seconds < 8) == (Reason.RPC_NOT_PERMITTED, True)


async def test_no_message_leaves_after_the_grant_has_ended(folder: Path, issuer: LocalIssuer) -> None:
    until = soon()
    (folder / "roles.csv").write_text(ROLE.format(until=until))
    arrived: list[float] = []
    async with AsyncExitStack() as stack:
        metadata = relayed(issuer, issuer.issue_user("alice", ["orders"], ["on-call"]))
        stream = await stream_at_a_shard(stack, folder, issuer, lambda: asyncio.sleep(0.05), metadata)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await note_arrivals(stream, arrived)
    assert error_from_rpc(caught.value).reason is Reason.RPC_NOT_PERMITTED
    assert arrived
    assert arrived[-1] < datetime.fromisoformat(until).timestamp() + 0.5


@pytest.mark.parametrize("door", DOORS)
async def test_a_silent_stream_ends_when_a_new_policy_takes_the_right(
    folder: Path, issuer: LocalIssuer, door: Callable[..., Awaitable[Any]]
) -> None:
    async with AsyncExitStack() as stack:
        metadata = relayed(issuer, issuer.issue_user("alice", ["orders"], ["on-call"]))
        stream = await door(stack, folder, issuer, SILENT, metadata)
        ending = asyncio.create_task(end_of(stream))
        await asyncio.sleep(0.5)
        (folder / "deny.csv").write_text(DENY)
        reason, seconds = await ending
    assert (reason, seconds < 10) == (Reason.RPC_NOT_PERMITTED, True)


@pytest.mark.parametrize("whose", ["user", "actor"])
async def test_a_silent_stream_ends_with_the_first_token(folder: Path, issuer: LocalIssuer, whose: str) -> None:
    user = issuer.issue_user("alice", ["orders"], ["on-call"], 2 if whose == "user" else 60)
    actor = issuer.issue_service("agent", 2 if whose == "actor" else 60)
    async with AsyncExitStack() as stack:
        stream = await stream_at_a_shard(stack, folder, issuer, SILENT, relayed(issuer, user, actor=actor))
        reason, seconds = await end_of(stream)
    assert (reason, seconds < 8) == (Reason.TOKEN_EXPIRED, True)


async def test_a_stream_goes_on_when_a_policy_change_leaves_the_right(folder: Path, issuer: LocalIssuer) -> None:
    async with AsyncExitStack() as stack:
        metadata = relayed(issuer, issuer.issue_user("alice", ["orders"], ["on-call"]))
        stream = await stream_at_a_shard(stack, folder, issuer, lambda: asyncio.sleep(0.01), metadata)
        await asyncio.sleep(0.3)
        (folder / "other.csv").write_text(DENY.replace("alice", "bob"))
        assert len([message async for message in stream]) == len(MANY)
