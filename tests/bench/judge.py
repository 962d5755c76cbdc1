"""`make bench BENCH=judge`: a hundred recorded worlds replayed cold, against health of as many, one call after another.

Each scenario has a world of its own: worlds of some incidents are recorded, copied out and taken in again, so that no
world is open when it is asked. The baseline opens and judges the same worlds without an agent or a judge.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from libs.cli.judge.recording import scenario_of
from libs.cli.session import Place
from libs.cli.snapshot_copies import copy_out, take_in
from libs.client import StorexClient
from libs.config import load_config
from storex.agent.v1.candidate_pb2 import Candidate
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest
from storex.judge.v1.judge_pb2 import GetRunRequest, Outcome, PutScenarioRequest, RunCandidateRequest
from storex.snapshot.v1.snapshot_pb2 import CreateSnapshotRequest
from tests.bench.mesh import BenchMesh, running_mesh
from tests.bench.rows import Row

INCIDENTS = ("lock.row_blocker", "query.missing_index", "connections.leak", "healthy")
SCENARIOS, PARALLEL = 100, 4
MOST_SECONDS, CORES = 60.0, 2
"""The budget. The run fails where the CPU time shows that no idle machine of two cores could keep within it."""
BEFORE_SECONDS, SETTLE_SECONDS = 9.0, 12.0


def run() -> list[Row]:
    """Record, copy, and measure both. Raises RuntimeError beyond the budget, or where a replay failed."""
    with running_mesh() as mesh, StorexClient(mesh.state.coordinator, mesh.administrator_token) as client:
        worlds = _scenarios(mesh, client)
        mesh.fleet.stop()  # what was recorded needs no server, and their workload would be measured too
        baseline = _health_of_all(mesh, worlds)
        before = _cpu_seconds(mesh)
        seconds, outcomes = _replayed(client)
        cpu = _cpu_seconds(mesh) - before
    right = [score.value for one in outcomes for score in one.scores if score.scorer == "cause_set"]
    if len(right) < SCENARIOS:
        raise RuntimeError(f"{SCENARIOS - len(right)} replays failed: {[one.problem for one in outcomes][:3]}")
    if cpu > CORES * MOST_SECONDS:
        raise RuntimeError(
            f"{SCENARIOS} scenarios took {cpu:.0f} s of CPU time: over {MOST_SECONDS:.0f} s on two cores"
        )
    return [
        Row("judge.cold_100", seconds, "s", baseline),
        Row("judge.a_scenario", seconds / SCENARIOS * 1000, "ms", baseline / SCENARIOS * 1000),
        Row("judge.cpu", cpu, "s", CORES * MOST_SECONDS),
        Row("judge.right", sum(right), "reports", float(SCENARIOS)),
    ]


def _scenarios(mesh: BenchMesh, client: StorexClient) -> list[str]:
    """Adds a hundred scenarios; returns their worlds."""
    place = Place(load_config(mesh.fleet.config_path).state_dir, mesh.fleet.config_path)
    time.sleep(BEFORE_SECONDS)
    instances = list(mesh.fleet.instances.values())
    running = [mesh.fleet.inject(name, one.short_name) for name, one in zip(INCIDENTS, instances, strict=False)]
    time.sleep(SETTLE_SECONDS)
    names = [str(one.name) for one in instances[: len(INCIDENTS)]]
    made = [client.call(client.snapshots.CreateSnapshot, CreateSnapshotRequest(name=name)).snapshot for name in names]
    for incident in running:
        incident.stop()
    worlds = []
    with tempfile.TemporaryDirectory(prefix="storex-worlds-") as folder:
        for name, one in zip(names, made, strict=True):
            copy_out(client, place, one.name, Path(folder) / f"{names.index(name)}.world", in_plain=True)
        for number in range(SCENARIOS):
            which = number % len(INCIDENTS)
            world = take_in(client, place, names[which], Path(folder) / f"{which}.world").name
            scenario = scenario_of(INCIDENTS[which], "bench", running[which].truth, world)
            scenario.scenario_id = f"{INCIDENTS[which]}-{number}"
            client.call(client.judge.PutScenario, PutScenarioRequest(scenario=scenario))
            worlds.append(world)
    return worlds


def _cpu_seconds(mesh: BenchMesh) -> float:
    return sum(mesh.cpu_seconds(service.name) for service in mesh.state.services)


def _health_of_all(mesh: BenchMesh, worlds: list[str]) -> float:
    began = time.perf_counter()
    for world in worlds:
        with StorexClient(mesh.state.coordinator, mesh.administrator_token, world) as client:
            client.call(client.diagnostics.GetHealth, GetHealthRequest(name=world.partition("/snapshots/")[0]))
    return time.perf_counter() - began


def _replayed(client: StorexClient) -> tuple[float, list[Outcome]]:
    request = RunCandidateRequest(candidate=Candidate(name="builtin", reasoner="builtin"), parallel=PARALLEL)
    began = time.perf_counter()
    *_, last = client.stream(client.judge.RunCandidate, request, seconds=10 * MOST_SECONDS)
    seconds = time.perf_counter() - began
    return seconds, list(client.call(client.judge.GetRun, GetRunRequest(run_id=last.run.run_id)).run.outcomes)
