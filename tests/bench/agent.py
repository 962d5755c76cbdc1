"""`make bench BENCH=agent`: what a step of the loop costs beyond models and calls, alone and fifty at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from storex.agent.v1 import agent_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.fleet.v1 import fleet_pb2
from tests.bench.agent_memory import AT_ONCE, STEP_SECONDS, measure
from tests.bench.rows import Row, percentile
from tests.integration.agent.scripted import Mesh, running
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

QUESTIONS = 30


ANSWERS = {
    "GetOverview": answers.overview(),
    "GetHealth": d.GetHealthResponse(health=answers.health(answers.blocker_finding())),
    "GetLockWaits": answers.lock_waits(),
    "GetInstance": fleet_pb2.GetInstanceResponse(),
}


def run() -> list[Row]:
    """Measure against a coordinator that answers at once."""
    return [*asyncio.run(_measure()), *asyncio.run(measure(ANSWERS))]


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as mesh:
            mesh.coordinator.answers.update(ANSWERS)
            await _step_seconds(mesh)
            alone = [await _step_seconds(mesh) for _ in range(QUESTIONS)]
            began = time.perf_counter()
            together = await asyncio.gather(*(_step_seconds(mesh) for _ in range(AT_ONCE)))
            took = time.perf_counter() - began
    return [
        Row("agent.step.p50", percentile(alone, 0.5), "s", STEP_SECONDS),
        Row("agent.step.p95", percentile(alone, 0.95), "s", STEP_SECONDS),
        Row("agent.questions_at_once", AT_ONCE / took, "questions/s", None),
        Row("agent.questions_at_once.p95", percentile(together, 0.95), "s a step", None),
    ]


async def _step_seconds(mesh: Mesh) -> float:
    """Seconds of a question less those that its tools took, by step."""
    events: list[agent_pb2.AskResponse] = await mesh.ask(NAME)
    report = events[-1].report
    waves: dict[int, float] = {}
    wave = 0
    for event in events:
        if event.HasField("tool_call"):
            wave = wave or event.sequence
        elif event.HasField("tool_result"):
            waves[wave] = max(waves.get(wave, 0.0), event.tool_result.took_seconds)
        elif wave and waves:
            wave = 0
    return max(0.0, events[-1].elapsed_seconds - sum(waves.values())) / max(1, report.usage.steps)
