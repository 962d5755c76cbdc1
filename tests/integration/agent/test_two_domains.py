"""A model sees data of regions whose domain allows it, whatever it asks for and whatever the session was about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from storex.fleet.v1 import fleet_pb2
from tests.integration.agent.scripted import Mesh
from tests.integration.agent.test_specialists_with_models import House, house, told
from tests.integration.llm.scripted_server import Turn, calls
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

OTHER, SECRET = "regions/eu-central-1/instances/ledger-1", "ledger.accounts"
_DOMAINS = {"eu-west-1": "gdpr", "eu-central-1": "bank"}
_NOTHING = calls(("submit_report", {"answer": "Nothing stands out.", "root_causes": []}))


def _finding() -> finding_pb2.Finding:
    finding = answers.missing_index_finding()
    finding.summary = f"A statement on {SECRET} reads every row."
    finding.entities[1].value = SECRET
    return finding


def _health(name: str) -> d.InstanceHealth:
    return answers.health(*([_finding()] if name == OTHER else []), name=name)


def _answer(mesh: Mesh) -> None:
    mesh.coordinator.answers.update(
        GetOverview=lambda request: answers.overview(request.name),
        GetHealth=lambda request: d.GetHealthResponse(health=_health(request.name)),
        StreamHealth=lambda _: [d.StreamHealthResponse(health=_health(name)) for name in (NAME, OTHER)],
        GetInstance=fleet_pb2.GetInstanceResponse(),
        ListTopQueries=lambda request: d.ListTopQueriesResponse(observation=answers.observation(request.name)),
    )


async def _asked(running: House, target: str = NAME, **fields: Any) -> report_pb2.Report:
    _answer(running.mesh)
    return (await running.mesh.ask(target, **fields))[-1].report


def _names(mesh: Mesh, method: str) -> list[str]:
    return [request.name for called, request, _ in mesh.coordinator.calls if called == method]


@pytest.mark.parametrize("bank", [(), ("other",)], ids=["no endpoint", "another endpoint"])
async def test_a_call_about_an_instance_of_another_domain_is_refused(tmp_path: Path, bank: tuple[str, ...]) -> None:
    turns: list[Turn] = [calls(("get_health", {"name": OTHER}), ("get_health", {"name": NAME})), _NOTHING]
    async with _two_domains(tmp_path, turns, bank) as running:
        report = await _asked(running)
    model = running.models["house"]
    assert SECRET not in model.prompts
    assert told(model.requests[1])[0].startswith("DENIED. This is of a region whose data you may not be shown.")
    assert OTHER not in _names(running.mesh, "GetHealth")
    assert report.written_by == "house/scripted"


async def test_a_stream_over_every_region_is_shown_without_what_is_of_elsewhere(tmp_path: Path) -> None:
    turns: list[Turn] = [calls(("stream_health", {"name": "regions/-/instances/-"})), _NOTHING]
    async with _two_domains(tmp_path, turns) as running:
        await _asked(running)
    model = running.models["house"]
    assert SECRET not in model.prompts
    (shown,) = told(model.requests[1])
    assert "is left out" in shown
    assert NAME in shown


async def test_a_short_name_leads_no_further(tmp_path: Path) -> None:
    everywhere = calls(("stream_health", {"name": "regions/-/instances/-"}))
    turns: list[Turn] = [everywhere, calls(("get_health", {"name": "ledger-1"})), _NOTHING]
    async with _two_domains(tmp_path, turns) as running:
        await _asked(running)
    model = running.models["house"]
    assert SECRET not in model.prompts
    assert "get_health DENIED" in told(model.requests[2])[-1]


async def test_earlier_questions_about_another_domain_are_not_told_nor_shown_again(tmp_path: Path) -> None:
    more = calls(("show_more", {"call": "call_0_1"}), ("show_more", {"call": "call_0_2"}))
    past = calls(("list_past_sessions", {"name": OTHER}), ("list_past_sessions", {"name": NAME}))
    turns: list[Turn] = [more, past, _NOTHING]
    async with _two_domains(tmp_path, turns) as running:
        first = await _asked(running, OTHER, question=f"why is {SECRET} slow?")
        assert SECRET in first.root_causes[0].summary + str(first)
        await _asked(running, NAME, question="and this one?", session_id=first.session_id)
    model = running.models["house"]
    assert model.requests
    assert SECRET not in model.prompts
    assert all("DENIED" in text for text in told(model.requests[1]))


async def test_what_every_domain_allows_is_shown(tmp_path: Path) -> None:
    turns: list[Turn] = [calls(("get_health", {"name": OTHER})), _NOTHING]
    async with _two_domains(tmp_path, turns, ("house",)) as running:
        await _asked(running)
    assert SECRET in running.models["house"].prompts


def _two_domains(tmp_path: Path, turns: list[Turn], bank: tuple[str, ...] = ()) -> Any:
    models: Mapping[str, list[Turn]] = {"house": turns, **{name: [_NOTHING] for name in bank if name != "house"}}
    return house(tmp_path, models, {}, ("house",), domains=_DOMAINS, more_domains={"bank": bank})
