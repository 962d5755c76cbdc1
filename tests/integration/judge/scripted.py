"""A judge behind the real gRPC stack, a coordinator that answers for an agent, and a scripted judging model."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import yaml

from libs.config import load_config
from libs.identity import LocalIssuer
from libs.llm.ledger import Group, Ledger
from libs.rpc.call import Metadata, outgoing_metadata
from libs.rpc.process import ProcessSettings
from services.judge.app import build
from services.judge.config import JudgeSettings
from services.judge.grading.rubric import load_rubric
from storex.agent.v1 import agent_pb2
from storex.agent.v1.candidate_pb2 import Candidate
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1 import judge_pb2
from storex.judge.v1.judge_pb2_grpc import JudgeServiceStub
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1 import snapshot_pb2
from tests.integration.agent.scripted import Coordinator, serving
from tests.integration.llm.scripted_server import ScriptedEndpoint, Turn, endpoint, says
from tests.unit.judge.reports import report, truth

WORLD = "regions/eu-west-1/instances/orders-1/snapshots/20261122-120000-00000000"
CAUSES = {"lock.row_blocker": [("holder", "connection_id", "812"), ("holder", "user", "orders_batch")]}
SERVICES = (
    agent_pb2.DESCRIPTOR.services_by_name["AgentService"],
    snapshot_pb2.DESCRIPTOR.services_by_name["SnapshotService"],
)
RUBRIC = load_rubric("standard@1")
QUOTE = "Connection 812 holds row locks"


def written(table: str = "shop.orders", by: str = "builtin") -> Report:
    """A right report, in which a table may have any name."""
    made = report(CAUSES)
    made.root_causes[0].entities.add(role="affected", type="table", value=table)
    made.answer = f"{QUOTE} in {table}; it is orders_batch."
    made.principals.append("orders_batch")
    made.written_by = by
    return made


def answers(**changes: dict[str, Any]) -> dict[str, object]:
    """Good answers to every question about `written()`, with changes by question."""
    entries = []
    for question in RUBRIC.questions:
        right = question.right(written())
        yes = question.good if right is None else right
        entry = {"question": question.id, "yes": yes, "reason": "It says so.", "quote": QUOTE if yes else ""}
        entries.append(entry | changes.get(question.id, {}))
    return {"answers": entries}


def good(**changes: dict[str, Any]) -> dict[str, Any]:
    """Them as a turn of the model."""
    return says(json.dumps(answers(**changes)))


@dataclass
class Bench:
    """A running judge and what is behind it."""

    coordinator: Coordinator
    model: ScriptedEndpoint
    state_dir: Path
    stub: Any
    metadata: Callable[[], Metadata]

    async def run(self, **fields: Any) -> judge_pb2.Run:
        """A run to its end, with all its outcomes."""
        request = judge_pb2.RunCandidateRequest(**fields)
        if not request.run_id:
            request.candidate.CopyFrom(Candidate(name="now"))
        run_id = ""
        async for message in self.stub.RunCandidate(request, metadata=self.metadata(), timeout=60):
            run_id = message.run.run_id
        asked = judge_pb2.GetRunRequest(run_id=run_id)
        answer: judge_pb2.GetRunResponse = await self.stub.GetRun(asked, metadata=self.metadata(), timeout=10)
        return answer.run

    async def compare(self, one: judge_pb2.Run, other: judge_pb2.Run, labels: Any = ()) -> Any:
        """Two runs side by side."""
        request = judge_pb2.CompareRunsRequest(
            baseline_run_id=one.run_id, candidate_run_id=other.run_id, labels=list(labels)
        )
        return (await self.stub.CompareRuns(request, metadata=self.metadata(), timeout=10)).comparison

    async def spent(self, group: Group) -> dict[str, tuple[int, int, int]]:
        """Calls, failures and tokens sent, by what the ledger sums over."""
        ledger = Ledger(self.state_dir / "agent" / "models.db", 0.0)
        found = {one.key: (one.calls, one.failed, one.input_tokens) for one in await ledger.sums(group, 0.0)}
        await ledger.close()
        return found


@asynccontextmanager
async def judging(
    tmp_path: Path, *turns: Turn, shown: Report | None = None, scenarios: int = 1, **settings: Any
) -> AsyncIterator[Bench]:
    """A judge over scenarios that an agent answers with one report. `settings` change its configuration."""
    async with endpoint(*turns) as model, serving(SERVICES) as coordinator:
        coordinator.answers["GetSnapshot"] = snapshot_pb2.GetSnapshotResponse()
        coordinator.answers["Ask"] = [
            agent_pb2.AskResponse(tool_call=agent_pb2.ToolCall(tool="get_health")),
            agent_pb2.AskResponse(report=shown or written()),
        ]
        issuer = LocalIssuer.open(tmp_path)
        token_file = tmp_path / "judge.jwt"
        token_file.write_text(issuer.issue_service("judge"))
        config = load_config(_configured(tmp_path, model, settings))
        process = ProcessSettings(config, "127.0.0.1:0", token_file, 0)

        def metadata() -> Metadata:
            token = issuer.issue_user("alice", ["payments"], ["evaluator"])
            return outgoing_metadata(authorization=token, relay=issuer.issue_service("coordinator"))

        async with (
            build(JudgeSettings(process, f"127.0.0.1:{coordinator.port}")) as app,
            grpc.aio.insecure_channel(f"127.0.0.1:{app.server.port}") as channel,
        ):
            bench = Bench(coordinator, model, tmp_path, JudgeServiceStub(channel), metadata)
            for number in range(scenarios):
                scenario = Scenario(scenario_id=f"s{number:02}", world=WORLD, questions=["why is it slow?"])
                scenario.truth.CopyFrom(truth(CAUSES))
                await bench.stub.PutScenario(judge_pb2.PutScenarioRequest(scenario=scenario), metadata=metadata())
            yield bench


def _configured(tmp_path: Path, model: ScriptedEndpoint, settings: dict[str, Any]) -> Path:
    endpoints = {"grader": {"base_url": model.base_url, "model": "large", "timeout_seconds": 20}}
    document: dict[str, Any] = {
        "state_dir": str(tmp_path),
        "regions": {"eu-west-1": {"domain": "gdpr", "instances": {}}},
        "models": {"endpoints": endpoints, "domains": {"gdpr": ["grader"]}},
        "judge": {"models": ["grader"]},
    }
    path = tmp_path / "storex.yaml"
    for key, value in settings.items():
        document[key] = document.get(key, {}) | value
    path.write_text(yaml.safe_dump(document))
    return path
