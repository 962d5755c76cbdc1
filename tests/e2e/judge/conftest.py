"""A mesh of real processes with worlds of real incidents in two regions, and people who may evaluate in each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.cli.judge.recording import scenario_of
from libs.cli.mesh.state import MeshDirectory, ServiceState
from libs.client import StorexClient
from libs.identity import LocalIssuer
from libs.lab.engines import require_engines
from libs.lab.fleet import LabFleet
from libs.lab.truth import Truth
from storex.agent.v1.candidate_pb2 import Candidate
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest
from storex.judge.v1.judge_pb2 import (
    CompareRunsRequest,
    GetRunRequest,
    ListScenariosRequest,
    PutScenarioRequest,
    Run,
    RunCandidateRequest,
)
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import CreateSnapshotRequest
from tests.e2e.command import Storex, running_mesh, until
from tests.e2e.judge.model import GRADER, Script, answering, finds_it_good, reads_and_reports
from tests.integration.llm.scripted_server import ScriptedEndpoint

PAYMENTS, USERS = "regions/eu-west-1/instances/payments-1", "regions/eu-central-1/instances/users-1"
PEOPLE = {
    "paula": {"teams": ["payments"], "roles": ["evaluator"]},
    "ursula": {"teams": ["users"], "roles": ["evaluator"]},
    "both": {"teams": ["payments", "users"], "roles": ["evaluator"]},
    "oncall": {"teams": ["payments"], "roles": ["on-call"]},
    "viewer": {"teams": ["payments"], "roles": ["viewer"]},
}
BUILTIN = Candidate(name="builtin", reasoner="builtin")


@dataclass
class Model:
    """The scripted model, which reads health and hands in what stands there; under another name it judges reports."""

    endpoint: ScriptedEndpoint | None = None
    script: Script = field(default=reads_and_reports)
    judges: Script = field(default=finds_it_good)

    @contextmanager
    def doing(self, script: Script) -> Iterator[None]:
        """While the block lasts it does something else."""
        self.script, before = script, self.script
        try:
            yield
        finally:
            self.script = before

    def __call__(self, request: dict[str, Any]) -> Any:
        return self.judges(request) if request["model"] == GRADER else self.script(request)


@dataclass(frozen=True)
class JudgeMesh:
    """The running mesh, what it runs on, and the worlds that were recorded: by incident, of the instance it was on."""

    storex: Storex
    folder: Path
    fleet: LabFleet
    model: Model
    truths: dict[str, tuple[str, Truth]] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def policy(self) -> Path:
        return self.folder / "policy"

    def client(self, user: str = "admin", *, seconds: float = 900.0, actor: str = "") -> StorexClient:
        """A client that acts as a user of the file."""
        state = MeshDirectory(self.state_dir).read()
        assert state is not None
        person = PEOPLE.get(user, {"teams": [], "roles": ["dba"]})
        token = LocalIssuer.open(self.state_dir).issue_user(user, person["teams"], person["roles"], seconds)
        return StorexClient(state.coordinator, lambda: token)

    def service(self, name: str) -> ServiceState:
        state = MeshDirectory(self.state_dir).read()
        assert state is not None
        return next(service for service in state.services if service.name == name)

    def answers(self) -> bool:
        """Whether the judge can be reached, also through a coordinator that has just lost it."""
        return self.storex.run("judge", "runs").status == 0

    def scenario(self, incident: str, scenario_id: str, world: str = "") -> Scenario:
        """A scenario of a recorded world, not added yet."""
        recorded, truth = self.truths[incident]
        scenario = scenario_of(incident, "any", truth, world or recorded)
        scenario.scenario_id = scenario_id
        return scenario

    def put(self, *scenarios: Scenario) -> list[str]:
        with self.client() as client:
            return [
                client.call(client.judge.PutScenario, PutScenarioRequest(scenario=one)).scenario.scenario_id
                for one in scenarios
            ]

    def copies(self, incident: str, prefix: str, number: int) -> list[str]:
        """So many scenarios of one world."""
        return self.put(*(self.scenario(incident, f"{prefix}-{place}") for place in range(number)))

    def seen(self, user: str) -> set[str]:
        with self.client(user) as client:
            answer = client.call(client.judge.ListScenarios, ListScenariosRequest(page_size=1000))
        return {scenario.scenario_id for scenario in answer.scenarios}

    def run(self, ids: list[str], candidate: Candidate = BUILTIN, user: str = "admin", repeats: int = 1) -> Run:
        """A whole run."""
        request = RunCandidateRequest(candidate=candidate, scenario_ids=ids, repeats=repeats)
        with self.client(user) as client:
            *_, last = client.stream(client.judge.RunCandidate, request, seconds=120)
        return self.get(last.run.run_id, user)

    def get(self, run_id: str, user: str = "admin") -> Run:
        with self.client(user) as client:
            return client.call(client.judge.GetRun, GetRunRequest(run_id=run_id)).run

    def problems(self, baseline: Run, candidate: Run, user: str = "admin") -> list[str]:
        """What stands against the candidate; none where the gate lets it through."""
        request = CompareRunsRequest(baseline_run_id=baseline.run_id, candidate_run_id=candidate.run_id)
        with self.client(user) as client:
            comparison = client.call(client.judge.CompareRuns, request).comparison
        assert comparison.passed == (not comparison.problems)
        return list(comparison.problems)

    def snapshot(self, name: str) -> str:
        with self.client() as client:
            return client.call(client.snapshots.CreateSnapshot, CreateSnapshotRequest(name=name)).snapshot.name

    def record(self, incident: str, name: str) -> None:
        """Bring an incident about, and record its world when its finding is there."""
        running = self.fleet.inject(incident, name.rpartition("/")[2])
        try:
            wanted = {fault.kind for fault in running.truth.faults}
            with self.client() as client:
                until(
                    lambda: (
                        wanted
                        <= {
                            finding.kind
                            for finding in client.call(
                                client.diagnostics.GetHealth, GetHealthRequest(name=name)
                            ).health.findings
                        }
                    ),
                    60,
                )
            self.truths[incident] = (self.snapshot(name), running.truth)
        finally:
            running.stop()


@pytest.fixture(scope="package", params=require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
def judged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JudgeMesh]:
    folder, model = tmp_path_factory.mktemp("judged"), Model()
    with (
        LabFleet.start(folder / "lab", engines=[request.param], only=["payments-1", "users-1"]) as fleet,
        answering(model) as model.endpoint,
    ):
        configure(folder, fleet, model.endpoint.base_url)
        with running_mesh(folder / "storex.yaml") as storex:
            mesh = JudgeMesh(storex, folder, fleet, model)
            mesh.record("lock.row_blocker", PAYMENTS)
            mesh.record("healthy", USERS)
            mesh.record("query.missing_index", USERS)
            yield mesh


def configure(folder: Path, fleet: LabFleet, base_url: str) -> None:
    """Write the mesh's file, an empty policy folder and a prompt of somebody's own."""
    (folder / "policy").mkdir()
    (folder / "prompts" / "lead").mkdir(parents=True)
    document = yaml.safe_load(fleet.config_path.read_text())
    del document["regions"]["us-east-1"]
    for region in document["regions"].values():
        for instance in region["instances"].values():
            instance["password_file"] = str(fleet.base_dir / instance["password_file"])
    document["users"] |= PEOPLE
    document |= {
        "state_dir": "state",
        "policy": "policy",
        "agent": {"prompts": "prompts", "model_seconds": 10},
        "models": {
            "endpoints": {
                "scripted": {"base_url": base_url, "model": "scripted"},
                "grader": {"base_url": base_url, "model": GRADER},
                "nobody": {"base_url": "http://127.0.0.1:9/v1", "model": "none", "timeout_seconds": 1},
            },
            "domains": {"gdpr": ["scripted", "nobody", "grader"]},
        },
        "judge": {"models": ["grader"], "labels": 4},
    }
    (folder / "storex.yaml").write_text(yaml.safe_dump(document))
