from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from libs.identity import LocalIssuer
from libs.rpc.channels import open_channel
from tests.integration.rpc.scripted import ScriptedShard, instance

FLEET = (
    instance("eu-west-1", "orders-1", "orders"),
    instance("eu-west-1", "payments-1", "payments"),
)


@pytest.fixture
def issuer(tmp_path: Path) -> LocalIssuer:
    return LocalIssuer.open(tmp_path)


@pytest.fixture
async def shard(issuer: LocalIssuer) -> AsyncIterator[ScriptedShard]:
    async with ScriptedShard(issuer, FLEET) as running:
        yield running


@pytest.fixture
async def channel(shard: ScriptedShard) -> AsyncIterator[grpc.aio.Channel]:
    async with open_channel(shard.address) as opened:
        yield opened
