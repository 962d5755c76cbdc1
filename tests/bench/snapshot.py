"""`make bench BENCH=snapshot`: what a snapshot costs to make and to ask, against live health of the same instance."""

from __future__ import annotations

import time

from libs.client import StorexClient
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest
from storex.snapshot.v1.snapshot_pb2 import CreateSnapshotRequest, GetSnapshotRequest
from tests.bench.engines import cpu_seconds
from tests.bench.mesh import BenchMesh, running_mesh
from tests.bench.rows import Row, percentile

TIMES = 7
WARM_UP = 20.0
"""Seconds of sampling before the first one."""


def run() -> list[Row]:
    """Measure on the fleet's first instance, beside its workload."""
    with running_mesh() as mesh, StorexClient(mesh.state.coordinator, mesh.administrator_token) as client:
        time.sleep(WARM_UP)
        instance = next(iter(mesh.fleet.instances.values()))
        name, engine = str(instance.name), instance.engine.pid
        idle = _cpu_of_rest(engine)
        made, seconds, cpu = [], [], []
        for _ in range(TIMES):
            before, began = cpu_seconds(engine), time.perf_counter()
            made.append(client.call(client.snapshots.CreateSnapshot, CreateSnapshotRequest(name=name)).snapshot)
            seconds.append(time.perf_counter() - began)
            cpu.append(max(0.0, cpu_seconds(engine) - before - idle * seconds[-1]))
        live = [_health(client, name) for _ in range(TIMES)]
        cold = [_replayed(mesh, name, one.name) for one in made]
        warm = [_replayed(mesh, name, made[-1].name) for _ in range(TIMES)]
        return [
            Row("snapshot.read", percentile([one.took_seconds for one in made], 0.5), "s"),
            Row("snapshot.made", percentile(seconds, 0.5), "s"),
            Row("snapshot.size", percentile([float(one.size_bytes) for one in made], 0.5), "bytes"),
            Row("snapshot.server_cpu", percentile(cpu, 0.5) * 1000, "ms"),
            Row("snapshot.not_captured", max(len(one.limits) for one in made), "limits"),
            Row("replay.health.cold", percentile(cold, 0.5) * 1000, "ms", percentile(live, 0.5) * 1000),
            Row("replay.health.warm", percentile(warm, 0.5) * 1000, "ms", percentile(live, 0.5) * 1000),
        ]


def _cpu_of_rest(pid: int) -> float:
    """What the server uses a second beside the snapshots."""
    before = cpu_seconds(pid)
    time.sleep(5.0)
    return (cpu_seconds(pid) - before) / 5.0


def _health(client: StorexClient, name: str) -> float:
    began = time.perf_counter()
    client.call(client.diagnostics.GetHealth, GetHealthRequest(name=name))
    return time.perf_counter() - began


def _replayed(mesh: BenchMesh, name: str, snapshot: str) -> float:
    with StorexClient(mesh.state.coordinator, mesh.administrator_token, snapshot) as client:
        client.call(client.snapshots.GetSnapshot, GetSnapshotRequest(name=snapshot))  # connects, and opens nothing
        return _health(client, name)
