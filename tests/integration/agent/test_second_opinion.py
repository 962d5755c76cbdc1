"""What becomes of a model's report that says too much, too little, or something else than its readings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.agent.loop.limits import LoopLimits
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from tests.integration.agent.scripted import Mesh
from tests.integration.agent.test_ask_with_a_model import mesh_with
from tests.integration.llm.scripted_server import calls
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

_LOOK = calls(("get_health", {"name": NAME}), ("get_lock_waits", {"name": NAME}), ("get_connections", {"name": NAME}))
_BLOCKER: dict[str, Any] = {
    "kind": "lock.row_blocker",
    "name": NAME,
    "confidence": 0.9,
    "entities": [
        {"role": "holder", "type": "connection_id", "value": "812"},
        {"role": "victim", "type": "connection_id", "value": "901"},
    ],
}
_LEAK: dict[str, Any] = {
    "kind": "connections.leak",
    "name": NAME,
    "confidence": 0.9,
    "entities": [
        {"role": "holder", "type": "program", "value": "profile-sync"},
        {"role": "holder", "type": "user", "value": "users_app"},
    ],
}


def hands_in(*causes: dict[str, Any], answer: str = "See the causes.") -> dict[str, Any]:
    return calls(("submit_report", {"answer": answer, "root_causes": list(causes)}))


def finds(mesh: Mesh, *findings: finding_pb2.Finding, checks: tuple[finding_pb2.Check, ...] = ()) -> None:
    health = answers.health(*findings, checks=checks)
    mesh.coordinator.answers.update(GetHealth=d.GetHealthResponse(health=health), GetConnections=answers.connections())


async def report_of(mesh: Mesh) -> report_pb2.Report:
    return (await mesh.ask(NAME))[-1].report


def kinds(report: report_pb2.Report) -> list[str]:
    return [cause.kind for cause in report.root_causes]


def codes(report: report_pb2.Report) -> list[str]:
    return [limit.code for limit in report.limits]


async def test_a_consequence_with_good_evidence_is_no_second_cause(tmp_path: Path) -> None:
    def real_names(request: dict[str, Any]) -> dict[str, Any]:
        return hands_in(_BLOCKER, {**_LEAK, "entities": _leak_entities(request)}, answer="Two things are wrong.")

    async with mesh_with(tmp_path, _LOOK, real_names) as (mesh, _):
        blocker, leak = answers.blocker_finding(), answers.leak_finding()
        blocker.explains.append(leak.id)
        finds(mesh, blocker, leak)
        report = await report_of(mesh)
    assert kinds(report) == ["lock.row_blocker"]
    assert report.written_by == "openai/scripted"
    assert report.answer != "Two things are wrong."


def _leak_entities(request: dict[str, Any]) -> list[dict[str, str]]:
    """The leak's owner by the tokens that the model was shown."""
    shown = next(m["content"] for m in request["messages"] if str(m["content"]).startswith("get_connections"))
    assert "profile-sync" not in shown
    tokens = [part for part in shown.replace('"', " ").split() if part.startswith("prn_")]
    return [{"role": "holder", "type": type_, "value": tokens[-3 + at]} for at, type_ in enumerate(("user", "host"))]


@pytest.mark.parametrize("explained", [False, True], ids=["clear", "only a consequence, and mild"])
async def test_what_the_detectors_found_clear_is_not_a_cause_for_looking_like_one(
    tmp_path: Path, explained: bool
) -> None:
    async with mesh_with(tmp_path, _LOOK, hands_in(_BLOCKER)) as (mesh, _):
        mild = answers.blocker_finding()
        mild.severity = finding_pb2.SEVERITY_INFO
        finds(mesh, *([mild] if explained else []))
        report = await report_of(mesh)
    assert kinds(report) == []
    assert report.written_by == "builtin"
    assert "MODEL_UNSUPPORTED" in codes(report)
    assert report.verdict == report_pb2.VERDICT_HEALTHY


async def test_a_cause_that_no_detector_looked_for_may_be_likely(tmp_path: Path) -> None:
    async with mesh_with(tmp_path, _LOOK, hands_in(_BLOCKER)) as (mesh, _):
        finds(mesh, checks=(answers.check("lock.row_blocker", "NOT_CHECKED", "no privilege"),))
        report = await report_of(mesh)
    assert kinds(report) == ["lock.row_blocker"]
    assert report.verdict == report_pb2.VERDICT_LIKELY


@pytest.mark.parametrize(
    "answer", ["Everything is healthy.", "I could not determine a cause: inconclusive.", "There are no problems here."]
)
@pytest.mark.parametrize("named", [True, False], ids=["beside the cause", "in the place of a cause"])
async def test_prose_does_not_talk_a_found_cause_away(tmp_path: Path, answer: str, named: bool) -> None:
    async with mesh_with(tmp_path, _LOOK, hands_in(*([_BLOCKER] if named else []), answer=answer)) as (mesh, _):
        report = await report_of(mesh)
    assert kinds(report) == ["lock.row_blocker"]
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert answer not in report.answer
    assert report.written_by == ("openai/scripted" if named else "builtin")


@pytest.mark.parametrize("blind", [True, False])
async def test_the_verdict_without_a_cause_is_worded_by_code(tmp_path: Path, blind: bool) -> None:
    alarming = "The disk is about to fail, and everybody must act."
    async with mesh_with(tmp_path, _LOOK, hands_in(answer=alarming)) as (mesh, _):
        finds(mesh, checks=(answers.check("lock.row_blocker", "NOT_CHECKED", "no privilege"),) if blind else ())
        report = await report_of(mesh)
    assert report.verdict == (report_pb2.VERDICT_INCONCLUSIVE if blind else report_pb2.VERDICT_HEALTHY)
    assert alarming not in report.answer


async def test_a_model_that_uses_up_the_calls_leaves_enough_for_the_second_opinion(tmp_path: Path) -> None:
    others = (
        "get_overview",
        "get_innodb_status",
        "list_transactions",
        "list_processes",
        "get_connections",
        "list_changes",
    )
    wasted = calls(*((tool, {"name": NAME}) for tool in others * 2))
    limits = LoopLimits(tool_calls=8)
    async with mesh_with(tmp_path, wasted, hands_in(answer="All is well."), limits=limits) as (mesh, _):
        report = await report_of(mesh)
    assert kinds(report) == ["lock.row_blocker"]
    assert report.usage.tool_calls <= 8
    assert report.written_by == "builtin"


async def test_a_model_that_uses_up_the_tokens_is_looked_at_all_the_same(tmp_path: Path) -> None:
    limits = LoopLimits(tokens=150)
    read = calls(("get_overview", {"name": NAME}))
    async with mesh_with(tmp_path, read, hands_in(answer="All is well."), limits=limits) as (mesh, _):
        report = await report_of(mesh)
    assert report.usage.input_tokens == 200
    assert kinds(report) == ["lock.row_blocker"]
    assert not report.partial


async def test_prose_answers_what_only_the_model_understood(tmp_path: Path) -> None:
    told = "It has 140 connections."
    async with mesh_with(tmp_path, _LOOK, hands_in(answer=told)) as (mesh, _):
        finds(mesh)
        report = (await mesh.ask(NAME, "tell me the current count, please"))[-1].report
    assert report.answer.endswith(told)
    assert report.verdict == report_pb2.VERDICT_HEALTHY
