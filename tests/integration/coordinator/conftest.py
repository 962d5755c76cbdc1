"""A mesh in one process: the real coordinator, shards and an agent that answer from a script, on real ports."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from libs.config import load_config
from libs.core.resources import Resource
from libs.identity import LocalIssuer
from libs.rpc.channels import open_channel
from libs.rpc.process import ProcessSettings
from services.coordinator.app import App, build
from services.coordinator.config import CoordinatorSettings
from storex.agent.v1 import agent_pb2_grpc
from storex.diagnostics.v1 import diagnostics_pb2_grpc
from storex.fleet.v1 import fleet_pb2_grpc
from tests.integration.coordinator.scripted_agent import ScriptedAgent
from tests.integration.rpc.scripted import ScriptedShard, instance

FLEET: Mapping[str, tuple[Resource, ...]] = {
    "eu-west-1": (instance("eu-west-1", "orders-1", "orders"), instance("eu-west-1", "payments-1", "payments")),
    "us-east-1": (instance("us-east-1", "orders-2", "orders"),),
}
CONFIGURATION = textwrap.dedent(
    """
    state_dir: state
    regions:
      eu-west-1: {domain: gdpr, cloud: aws, environment: prod, instances: {}}
      us-east-1: {domain: us, cloud: gcp, environment: prod, instances: {}}
    """
)


@dataclass
class Mesh:
    """The parts of a running mesh, with stubs that speak to its front door."""

    issuer: LocalIssuer
    app: App
    shards: dict[str, ScriptedShard]
    agent: ScriptedAgent
    channel: Any
    token_file: Path

    def __post_init__(self) -> None:
        self.fleet = fleet_pb2_grpc.FleetServiceStub(self.channel)
        self.diagnostics = diagnostics_pb2_grpc.DiagnosticsServiceStub(self.channel)
        self.ask = agent_pb2_grpc.AgentServiceStub(self.channel)

    def user(self, *teams: str, roles: tuple[str, ...] = ("on-call",)) -> tuple[tuple[str, str], ...]:
        """Metadata of a person of those teams."""
        return (("authorization", f"Bearer {self.issuer.issue_user('alice', teams, roles)}"),)

    @property
    def dba(self) -> tuple[tuple[str, str], ...]:
        """Metadata of somebody who may do everything everywhere."""
        return self.user(roles=("dba",))


async def start_mesh(
    stack: AsyncExitStack, folder: Path, *, away: tuple[str, ...] = (), configuration: str = CONFIGURATION
) -> Mesh:
    """Start a mesh that ends with the stack; the shards of the regions in `away` are never started."""
    file = folder / "storex.yaml"
    file.write_text(configuration)
    config = load_config(file)
    issuer = LocalIssuer.open(config.state_dir)
    token_file = folder / "coordinator.jwt"
    token_file.write_text(issuer.issue_service("coordinator"))
    shards = {region: ScriptedShard(issuer, resources) for region, resources in FLEET.items()}
    for region, shard in shards.items():
        if region not in away:
            await stack.enter_async_context(shard)
    agent = await stack.enter_async_context(ScriptedAgent(issuer))
    # A port on which nobody listens stands for a shard that is away.
    addresses = {region: shard.address if shard.server.port else "127.0.0.1:1" for region, shard in shards.items()}
    process = ProcessSettings(config, "127.0.0.1:0", token_file, 0)
    app = await stack.enter_async_context(build(CoordinatorSettings(process, addresses, agent.address)))
    channel = await stack.enter_async_context(open_channel(f"127.0.0.1:{app.server.port}"))
    return Mesh(issuer, app, shards, agent, channel, token_file)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def mesh(stack: AsyncExitStack, tmp_path: Path) -> Mesh:
    return await start_mesh(stack, tmp_path)
