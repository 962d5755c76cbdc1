"""`make bench BENCH=harm`: what Storex costs a database server, in the server's own CPU time, and how soon it answers.

The baseline of watching is the same server under the same workload with Storex off, before and after.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from libs.client import StorexClient
from libs.core.clock import SystemClock
from libs.lab.engines import EngineBinary, require_engines
from libs.lab.fleet import LabFleet
from services.shard.instances import Instance
from services.shard.verdict.health import assess
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest
from tests.bench.engines import PRIMARY, config_of, cpu_seconds, fleet_of
from tests.bench.mesh import running_mesh
from tests.bench.rows import Row, percentile

SECONDS = 12.0
"""How long the server is looked at with Storex on, and as long with it off."""
SETTLING = 5.0
WARM_CALLS, COLD_CALLS, MESH_CALLS = 600, 15, 200


def run() -> list[Row]:
    """Measure each kind of server that is there, then calls through a mesh; about two minutes."""
    rows: list[Row] = []
    for binary in require_engines():
        with fleet_of(binary) as fleet:
            rows += asyncio.run(_on_server(binary, fleet))
    return rows + _through_a_mesh()


async def _on_server(binary: EngineBinary, fleet: LabFleet) -> list[Row]:
    engine = fleet.instances[PRIMARY].engine
    config = config_of(fleet, fleet.instances[PRIMARY])
    await asyncio.sleep(SETTLING)

    async def cpu_over(work: Awaitable[object]) -> tuple[float, float]:
        before, began = cpu_seconds(engine.pid), time.monotonic()
        await work
        return cpu_seconds(engine.pid) - before, time.monotonic() - began

    used, took = await cpu_over(asyncio.sleep(SECONDS / 2))
    instance = Instance(config, SystemClock())
    await asyncio.sleep(SETTLING)
    on, on_took = await cpu_over(asyncio.sleep(SECONDS))
    watching = on / on_took
    warm: list[float] = []
    warm_cpu, warm_took = await cpu_over(_timed(instance.health.current, WARM_CALLS, warm, pause=0.01))
    cold: list[float] = []
    cold_cpu, cold_took = await cpu_over(_timed(lambda: assess(instance.view, {}), COLD_CALLS, cold))
    await instance.close()
    used_after, took_after = await cpu_over(asyncio.sleep(SECONDS / 2))
    off = (used + used_after) / (took + took_after)
    each_cold = 1000 * (cold_cpu - watching * cold_took) / COLD_CALLS
    each_warm = 1000 * (warm_cpu - watching * warm_took) / WARM_CALLS
    kind = f"harm.{binary.kind}"
    return [
        Row(f"{kind}.watched.cpu", 1000 * watching, "ms/s", 1000 * off),
        Row(f"{kind}.watching.cpu", 1000 * (watching - off), "ms/s", 1000 * off),
        Row(f"{kind}.warm_call.cpu", each_warm, "ms", each_cold),
        Row(f"{kind}.cold_call.cpu", each_cold, "ms"),
        Row(f"{kind}.warm_call.p50", 1000 * percentile(warm, 0.5), "ms", 1000 * percentile(cold, 0.5)),
        Row(f"{kind}.warm_call.p99", 1000 * percentile(warm, 0.99), "ms", 1000 * percentile(cold, 0.99)),
    ]


async def _timed(
    call: Callable[[], Awaitable[object]], count: int, seconds: list[float], *, pause: float = 0.0
) -> None:
    for _ in range(count):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(pause)


def _through_a_mesh() -> list[Row]:
    """GetHealth at the front door, against the cheapest call that reads nothing of a server."""
    with running_mesh() as mesh, StorexClient(mesh.state.coordinator, mesh.administrator_token) as client:
        names = [str(instance.name) for instance in mesh.fleet.instances.values()]
        time.sleep(SETTLING)
        health: list[float] = []
        for number in range(MESH_CALLS):
            began = time.perf_counter()
            client.call(client.diagnostics.GetHealth, GetHealthRequest(name=names[number % len(names)]))
            health.append(time.perf_counter() - began)
            time.sleep(0.02)
        listing: list[float] = []
        for _ in range(MESH_CALLS):
            began = time.perf_counter()
            client.listing()
            listing.append(time.perf_counter() - began)
    return [
        Row(f"harm.mesh.GetHealth.p{share:.0%}".rstrip("%"), 1000 * percentile(health, share), "ms", 1000 * base)
        for share, base in ((0.5, percentile(listing, 0.5)), (0.99, percentile(listing, 0.99)))
    ]
