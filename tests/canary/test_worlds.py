"""Recorded worlds and what is made of them: a snapshot at rest, every method over it, runs and gradings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from libs.client import StorexClient
from libs.identity import LocalIssuer
from libs.rpc.call import SNAPSHOT
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_REGION
from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA
from libs.sensitivity.tokens import TOKEN
from services.judge.grading.rubric import load_rubric
from storex.agent.v1.candidate_pb2 import Candidate
from storex.judge.v1 import judge_pb2
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1 import snapshot_pb2
from tests.canary.garden import AT_HOME, GRADER, INSTANCE, ROLES, Garden, curious
from tests.canary.markers import seen, sightings
from tests.canary.requests import QUESTION
from tests.canary.test_rpcs import Walk
from tests.canary.wire import as_role, to_coordinator
from tests.integration.llm.scripted_server import says

RUBRIC = load_rubric("standard@1")


def diligent(request: dict[str, Any]) -> Any:
    """Grades what it can see, and says in its reasons all that it was shown; else it is the curious one."""
    if request["model"] != GRADER:
        return curious(request)
    shown = str(request["messages"][-1]["content"])
    known = {"names_a_cause": "\nroot cause " in shown, "says_healthy": "\nverdict: HEALTHY" in shown}
    answers = [
        {"question": question.id, "quote": "verdict: ", "reason": shown[:2000], "yes": known.get(question.id, False)}
        for question in RUBRIC.questions
    ]
    return says(json.dumps({"answers": answers}))


@pytest.fixture
def model(garden: Garden) -> Iterator[Garden]:
    """The garden with a model that tells all it can, as an investigator and as a judge."""
    garden.model.requests.clear()
    garden.model.turns[:] = [diligent]
    yield garden
    garden.model.turns[:] = [b"{}"]


def client_of(garden: Garden, role: str) -> StorexClient:
    issuer = LocalIssuer.open(garden.state_dir)
    return StorexClient(garden.coordinator, lambda: as_role(issuer, role))


def recorded(garden: Garden) -> str:
    """A snapshot of the planted instance, made by whoever may."""
    with client_of(garden, "oncall") as client:
        return client.call(
            client.snapshots.CreateSnapshot, snapshot_pb2.CreateSnapshotRequest(name=INSTANCE), seconds=20
        ).snapshot.name


def test_a_snapshot_at_rest_and_its_copy_show_nothing(garden: Garden) -> None:
    name = recorded(garden)
    with client_of(garden, "dba") as client:
        answer = client.call(client.snapshots.ExportSnapshot, snapshot_pb2.ExportSnapshotRequest(name=name))
        known = client.call(client.snapshots.GetSnapshot, snapshot_pb2.GetSnapshotRequest(name=name))
    assert not sightings(answer.SerializeToString() + known.SerializeToString())
    sealed = {place: content for place, content in garden.kept().items() if place.endswith(".world")}
    assert len(sealed) >= 2, "the snapshot, and its copy"
    assert all(place.startswith(AT_HOME) for place in sealed)
    for place, content in sealed.items():
        assert not sightings(content), place


@pytest.mark.parametrize(
    "role", ["oncall", *(pytest.param(role, marks=pytest.mark.slow) for role in ("dba", "viewer", "stranger"))]
)
async def test_every_method_over_a_snapshot(garden: Garden, role: str) -> None:
    name = await asyncio.to_thread(recorded, garden)
    issuer = LocalIssuer.open(garden.state_dir)
    methods = [method for method in METHODS if method.scope == SCOPE_REGION and not method.of_snapshots]
    async with open_channel(garden.coordinator) as channel:
        metadata = (*to_coordinator(issuer, role), (SNAPSHOT, name))
        walk = Walk(channel, metadata, ROLES[role].clear)
        await walk.through(methods, failing=False, thorough=False)
    assert not walk.leaks
    if role in ("oncall", "dba"):
        assert len(walk.answered) > len(methods) // 2, "the world is asked, and answers"
        assert seen(walk.seen, SCHEMA)
        assert seen(walk.seen, PRINCIPAL)
    else:
        assert not walk.answered, "who may not read snapshots is told nothing of them"


@pytest.mark.slow
def test_runs_and_gradings_show_a_model_no_names_and_nobody_more_than_they_may_see(model: Garden) -> None:
    world = recorded(model)
    scenario = Scenario(scenario_id="canary", world=world, questions=[QUESTION, "which client is it? kill 812?"])
    scenario.truth.root_causes.add(kind="lock.row_blocker")
    seen_bytes = b""
    with client_of(model, "dba") as client:
        kept = client.call(client.judge.PutScenario, judge_pb2.PutScenarioRequest(scenario=scenario))
        seen_bytes += kept.SerializeToString()
        runs = []
        for reasoner in ("builtin", "scripted"):
            request = judge_pb2.RunCandidateRequest(
                candidate=Candidate(name=reasoner, reasoner=reasoner), scenario_ids=["canary"], rubric="standard"
            )
            messages = list(client.stream(client.judge.RunCandidate, request, seconds=120))
            seen_bytes += b"".join(message.SerializeToString() for message in messages)
            runs.append(client.call(client.judge.GetRun, judge_pb2.GetRunRequest(run_id=messages[-1].run.run_id)).run)
        sides = judge_pb2.CompareRunsRequest(baseline_run_id=runs[0].run_id, candidate_run_id=runs[1].run_id)
        comparison = client.call(client.judge.CompareRuns, sides)
        listed = client.call(client.judge.ListScenarios, judge_pb2.ListScenariosRequest())
    told = seen_bytes + b"".join(one.SerializeToString() for one in (*runs, comparison, listed))
    prompts = json.dumps([one for one in model.model.requests if one["model"] == GRADER], ensure_ascii=False)
    assert {outcome.grading.status for run in runs for outcome in run.outcomes} == {GRADING_STATUS_GRADED}
    assert any(outcome.report.principals for run in runs for outcome in run.outcomes)
    assert seen(prompts.encode(), SCHEMA)
    assert TOKEN.search(prompts), "names were there, and were left out"
    for everything in (prompts.encode(), json.dumps(model.model.requests, ensure_ascii=False).encode()):
        assert not seen(everything, CUSTOMER)
        assert not seen(everything, PRINCIPAL)
    assert seen(told, PRINCIPAL), "a dba sees names, in reasons and quotes too"
    assert not seen(told, CUSTOMER)
    for role in ("viewer", "stranger", "oncall"):
        with client_of(model, role) as client, pytest.raises(Exception) as refused:  # noqa: PT011 - searched below
            client.call(client.judge.GetRun, judge_pb2.GetRunRequest(run_id=runs[0].run_id))
        assert not sightings(str(refused.value).encode())
