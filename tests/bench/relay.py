"""`make bench BENCH=relay`: a call through the coordinator, with authentication, policy and telemetry on, against the
same call made directly to the shard. The call reads no database, so that the mesh itself is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import grpc

from libs.rpc.call import Metadata, outgoing_metadata
from storex.fleet.v1.fleet_pb2 import GetInstanceRequest, GetInstanceResponse
from storex.fleet.v1.fleet_pb2_grpc import FleetServiceStub
from tests.bench.mesh import BenchMesh, running_mesh
from tests.bench.rows import Row, percentile

ROUNDS = 4
SINGLE_CALLS = 250
"""Calls a round, one after another."""
PARALLEL_CALLS = 1500
CALLERS = 16

Call = Callable[[], Awaitable[GetInstanceResponse]]


def run() -> list[Row]:
    """Measure, taking turns between both ways; about half a minute."""
    with running_mesh() as mesh:
        return asyncio.run(_measure(mesh))


async def _measure(mesh: BenchMesh) -> list[Row]:
    name = next(iter(mesh.fleet.instances.values())).name
    shard = f"shard-{name.region}"
    token, relay_token = mesh.administrator_token(), mesh.issuer.issue_service("coordinator")
    async with (
        grpc.aio.insecure_channel(mesh.address_of(shard)) as to_shard,
        grpc.aio.insecure_channel(mesh.address_of("coordinator")) as to_coordinator,
    ):
        direct = _call(to_shard, str(name), outgoing_metadata(authorization=token, relay=relay_token))
        relayed = _call(to_coordinator, str(name), outgoing_metadata(authorization=token))
        for call in (direct, relayed):
            await _one_by_one(call, SINGLE_CALLS)
        latencies: dict[Call, list[float]] = {direct: [], relayed: []}
        rates: dict[Call, list[float]] = {direct: [], relayed: []}
        relay_cpu = shard_cpu = 0.0
        for _ in range(ROUNDS):
            for call in (direct, relayed):
                latencies[call] += await _one_by_one(call, SINGLE_CALLS)
            rates[direct].append(await _side_by_side(direct))
            before = mesh.cpu_seconds("coordinator"), mesh.cpu_seconds(shard)
            rates[relayed].append(await _side_by_side(relayed))
            relay_cpu += mesh.cpu_seconds("coordinator") - before[0]
            shard_cpu += mesh.cpu_seconds(shard) - before[1]
    p50 = {call: percentile(values, 0.5) * 1e6 for call, values in latencies.items()}
    per_call = 1e6 / (ROUNDS * PARALLEL_CALLS)
    return [
        Row("relay.throughput", percentile(rates[relayed], 0.5), "calls/s", percentile(rates[direct], 0.5)),
        Row("relay.p50", p50[relayed], "µs", p50[direct]),
        Row("relay.added_p50", p50[relayed] - p50[direct], "µs", p50[direct]),
        Row("relay.cpu", relay_cpu * per_call, "µs/call", shard_cpu * per_call),
    ]


def _call(channel: grpc.aio.Channel, name: str, metadata: Metadata) -> Call:
    stub = FleetServiceStub(channel)

    async def call() -> GetInstanceResponse:
        return await stub.GetInstance(GetInstanceRequest(name=name), metadata=metadata, timeout=10)

    return call


async def _one_by_one(call: Call, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - started)
    return seconds


async def _side_by_side(call: Call) -> float:
    """Calls a second with CALLERS callers."""
    started = time.perf_counter()
    await asyncio.gather(*(_one_by_one(call, PARALLEL_CALLS // CALLERS) for _ in range(CALLERS)))
    return PARALLEL_CALLS // CALLERS * CALLERS / (time.perf_counter() - started)
