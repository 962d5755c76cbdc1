"""What an agent's process holds after round upon round of questions at once; used by `make bench BENCH=agent`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from libs.identity import LocalIssuer
from libs.lab.engines import free_port
from libs.rpc.call import outgoing_metadata
from storex.agent.v1 import agent_pb2
from storex.agent.v1.agent_pb2_grpc import AgentServiceStub
from tests.bench.engines import cpu_seconds
from tests.bench.rows import Row
from tests.integration.agent.scripted import Coordinator, serving
from tests.unit.agent.answers import NAME

AT_ONCE = 50
STEP_SECONDS = 0.020
"""The aim."""
WARM_UP, ROUNDS = 6, 12
_MIB = 1024 * 1024
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class AgentProcess:
    """An agent in a process of its own."""

    pid: int
    stub: Any
    issuer: LocalIssuer
    tokens: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """What each user's calls carry: a person asks many questions with one token."""

    @property
    def resident(self) -> int:
        """Bytes that it holds in memory (proc(5), `VmRSS`)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    async def ask(self, user: str) -> tuple[float, agent_pb2.AskResponse]:
        """Seconds until the first event of a question, and its last event."""
        if user not in self.tokens:
            token = self.issuer.issue_user(user, ["payments"], ("on-call",))
            self.tokens[user] = outgoing_metadata(authorization=token, relay=self.issuer.issue_service("coordinator"))
        request = agent_pb2.AskRequest(target=NAME, question="why is it slow?")
        began, first, last = time.perf_counter(), 0.0, agent_pb2.AskResponse()
        async for event in self.stub.Ask(request, metadata=self.tokens[user], timeout=120):
            first, last = first or time.perf_counter() - began, event
        return first, last


@asynccontextmanager
async def agent_process(folder: Path, coordinator: Coordinator) -> AsyncIterator[AgentProcess]:
    """An agent before that coordinator; stopped when the context ends."""
    issuer = LocalIssuer.open(folder / "state")
    config, token_file, listen = folder / "storex.yaml", folder / "agent.jwt", f"127.0.0.1:{free_port()}"
    (folder / "password").write_text("x")
    instance = "{host: 127.0.0.1, port: 3306, user: storex, password_file: password, team: payments}"
    config.write_text(
        f"state_dir: {folder / 'state'}\nregions:\n  eu-west-1: {{domain: gdpr, instances: {{orders-1: {instance}}}}}\n"
    )
    token_file.write_text(issuer.issue_service("agent"))
    where = ["--config", config, "--listen", listen, "--coordinator", f"127.0.0.1:{coordinator.port}"]
    command = [sys.executable, "-m", "services.agent", *map(str, where), "--token-file", str(token_file)]
    with (folder / "agent.log").open("w", encoding="utf-8") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:
        async with grpc.aio.insecure_channel(listen) as channel:
            await asyncio.wait_for(channel.channel_ready(), _START_SECONDS)
            yield AgentProcess(process.pid, AgentServiceStub(channel), issuer)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 20)


async def rounds(agent: AgentProcess, number: int) -> tuple[list[int], int]:
    """Bytes held after each of so many rounds of AT_ONCE questions, and the steps that all of them took.

    Raises RuntimeError where a question has no report.
    """
    held, steps = [], 0
    for _ in range(number):
        events = await asyncio.gather(*(agent.ask(f"user-{place}") for place in range(AT_ONCE)))
        if not all(last.HasField("report") and last.report.root_causes for _, last in events):
            raise RuntimeError("A question of many at once was left without its report.")
        held.append(agent.resident)
        steps += sum(last.report.usage.steps for _, last in events)
    return held, steps


async def measure(answers: dict[str, Any]) -> list[Row]:
    """What is held after warming up, and by how much that grows with each round; and how soon each was begun."""
    with tempfile.TemporaryDirectory(prefix="storex-bench-") as folder:
        async with serving() as coordinator:
            coordinator.answers.update(answers)
            async with agent_process(Path(folder), coordinator) as agent:
                warm = (await rounds(agent, WARM_UP))[0][-1]
                before = cpu_seconds(agent.pid)
                held, steps = await rounds(agent, ROUNDS)
                cost = (cpu_seconds(agent.pid) - before) / steps
                first = max(seconds for seconds, _ in await asyncio.gather(*(agent.ask("u") for _ in range(AT_ONCE))))
    return [
        Row("agent.step.cpu", cost, "s", STEP_SECONDS),
        Row("agent.memory.warm", warm / _MIB, "MiB", None),
        Row("agent.memory.after", held[-1] / _MIB, "MiB", warm / _MIB),
        Row("agent.memory.growth_per_round", slope(held) / 1024, "KiB", None),
        Row("agent.questions_at_once.longest_until_begun", first, "s", None),
    ]


def slope(values: Sequence[float]) -> float:
    """By how much the values grow from one to the next, by least squares."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((place - middle) ** 2 for place in range(len(values)))
    return sum((place - middle) * (value - mean) for place, value in enumerate(values)) / spread
