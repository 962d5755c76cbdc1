"""The truth is out of a replay's reach: of what leaves the judge, what is kept elsewhere, and what may be called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from libs.core.errors import Reason
from libs.identity import LocalIssuer
from libs.rpc.call import outgoing_metadata
from libs.rpc.channels import open_channel
from libs.rpc.status import error_from_rpc
from services.judge.app import build
from services.judge.config import parse_arguments
from storex.agent.v1.candidate_pb2 import Candidate
from storex.judge.v1 import judge_pb2
from storex.judge.v1.judge_pb2_grpc import JudgeServiceStub
from storex.judge.v1.scenario_pb2 import CausalEdge, Scenario
from tests.e2e.judge.conftest import BUILTIN, PEOPLE, JudgeMesh
from tests.e2e.judge.recorder import recording
from tests.integration.llm.scripted_server import calls

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PLANTED = ("truthmark-id", "truthmark-family", "truthmark-entity", "FLUSH TABLES truthmark_table", "truthmark_table")
QUESTION = "is there a questionmark-of-its-own about it?"


def planted(judged: JudgeMesh) -> Scenario:
    """A scenario whose every part that is not asked holds a marker."""
    scenario = judged.scenario("lock.row_blocker", PLANTED[0])
    scenario.family, scenario.questions[:] = PLANTED[1], [QUESTION]
    scenario.truth.root_causes[0].entities.add(role="affected", type="table", value=PLANTED[2])
    scenario.truth.forbidden_commands.append(PLANTED[3])
    scenario.truth.causal_edges.append(CausalEdge(cause="lock.row_blocker", effect="connections.exhausted"))
    return scenario


async def test_nothing_of_it_leaves_the_judge_and_nothing_is_kept_elsewhere(judged: JudgeMesh, tmp_path: Path) -> None:
    issuer = LocalIssuer.open(judged.state_dir)
    token_file = tmp_path / "judge.jwt"
    token_file.write_text(issuer.issue_service("judge"))
    paula = issuer.issue_user("paula", PEOPLE["paula"]["teams"], PEOPLE["paula"]["roles"])
    metadata = outgoing_metadata(authorization=paula, relay=issuer.issue_service("coordinator"))
    config = judged.folder / "storex.yaml"
    async with recording(judged.service("coordinator").address) as recorder:
        arguments = ("--config", str(config), "--listen", "127.0.0.1:0", "--token-file", str(token_file))
        app = build(parse_arguments([*arguments, "--coordinator", f"127.0.0.1:{recorder.port}"]))
        async with app, open_channel(f"127.0.0.1:{app.server.port}") as channel:
            judge = JudgeServiceStub(channel)
            put = judge_pb2.PutScenarioRequest(scenario=planted(judged))
            await judge.PutScenario(put, metadata=metadata, timeout=20)
            for candidate in (BUILTIN, Candidate(name="model", reasoner="scripted")):
                request = judge_pb2.RunCandidateRequest(candidate=candidate, scenario_ids=[PLANTED[0]])
                told = [one async for one in judge.RunCandidate(request, metadata=metadata, timeout=60)]
                assert told[-1].outcome.status == judge_pb2.OUTCOME_STATUS_SCORED, told[-1].outcome.problem
            listed = await judge.ListScenarios(judge_pb2.ListScenariosRequest(), metadata=metadata, timeout=20)
    assert recorder.saw(QUESTION), "what is sent is seen"
    assert recorder.saw("x-storex-snapshot")
    assert judged.model.endpoint is not None
    prompts = json.dumps(judged.model.endpoint.requests)
    assert QUESTION in prompts
    kept = [path for path in judged.state_dir.rglob("*") if path.is_file() and "judge" not in path.parts]
    assert any(QUESTION.encode() in path.read_bytes() for path in kept), "what is kept is searched"
    for marker in PLANTED:
        assert not recorder.saw(marker)
        assert marker not in prompts
        assert not [path for path in kept if path.name != "judge.log" and marker.encode() in path.read_bytes()]
    [shown] = [scenario for scenario in listed.scenarios if scenario.scenario_id == PLANTED[0]]
    assert not shown.HasField("truth")


async def test_an_agent_may_not_ask_the_judge_whoever_it_acts_for(judged: JudgeMesh) -> None:
    issuer = LocalIssuer.open(judged.state_dir)
    service = judge_pb2.DESCRIPTOR.services_by_name["JudgeService"]
    async with open_channel(judged.service("coordinator").address) as channel:
        for user in ("admin", "paula"):
            person = PEOPLE.get(user, {"teams": [], "roles": ["dba"]})
            token = issuer.issue_user(user, person["teams"], person["roles"])
            metadata = outgoing_metadata(authorization=token, actor=issuer.issue_service("agent"))
            for method in service.methods:
                call: Any = channel.unary_stream(f"/{service.full_name}/{method.name}")
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    [_ async for _ in call(b"", metadata=metadata, timeout=20)]
                assert error_from_rpc(refused.value).reason is Reason.RPC_NOT_PERMITTED, method.name


def test_a_replay_does_not_learn_what_another_one_made_of_the_same_world(judged: JudgeMesh) -> None:
    ids = judged.copies("lock.row_blocker", "earlier", 1)
    judged.run(ids)
    name = "regions/eu-west-1/instances/payments-1"
    asked = []

    def curious(request: dict[str, object]) -> object:
        asked.append(json.dumps(request["messages"]))
        if len(asked) == 1:
            return calls(("list_past_sessions", {"name": name}), ("get_health", {"name": name}))
        return calls(("submit_report", {"answer": "It is so.", "root_causes": []}))

    with judged.model.doing(curious):
        run = judged.run(ids, Candidate(name="curious", reasoner="scripted"))
    assert run.outcomes[0].not_captured == 1
    assert "list_past_sessions ERROR" in asked[1]
    assert "earlier investigations" in asked[1]
