"""A model that leads hands tasks to specialists with models of their own, side by side, and writes one report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from libs.config import ModelBudget, ModelBudgets, ModelEndpoint, ModelsConfig, SpecialistSettings
from libs.config.model import Declared
from libs.llm import Message, ToolSchema
from libs.llm.size import most_tokens
from services.agent.inquiry import ToolRequest
from services.agent.loop.limits import LoopLimits
from services.agent.reasoners.model.delegation import side_by_side
from storex.agent.v1 import agent_pb2, report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from tests.integration.agent.scripted import Mesh, running
from tests.integration.llm.scripted_server import Reply, ScriptedEndpoint, Turn, calls, endpoint, says
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

_HERE = Declared(Path("storex.yaml"), 1)
_BLOCKER = {
    "kind": "lock.row_blocker",
    "name": NAME,
    "confidence": 0.9,
    "entities": [
        {"role": "holder", "type": "connection_id", "value": "812"},
        {"role": "victim", "type": "connection_id", "value": "901"},
    ],
}
_FINDS = calls(("submit_report", {"answer": "A session holds locks.", "root_causes": [_BLOCKER]}))
_NOTHING = calls(("submit_report", {"answer": "No more traffic than before.", "root_causes": []}))
_LOCKS = calls(("get_lock_waits", {"name": NAME}))
_BOTH = calls(
    ("delegate", {"specialist": "database", "task": f"Who holds locks on {NAME}?"}),
    ("delegate", {"specialist": "traffic", "task": f"Is there more traffic on {NAME}?"}),
)
_HEALTH = calls(("get_health", {"name": NAME}))


@dataclass
class House:
    """The mesh, and the model endpoints by name."""

    mesh: Mesh
    models: Mapping[str, ScriptedEndpoint]

    async def report(self, **fields: Any) -> report_pb2.Report:
        return (await self.mesh.ask(NAME, **fields))[-1].report


@asynccontextmanager
async def house(
    tmp_path: Path,
    models: Mapping[str, list[Turn]],
    specialists: Mapping[str, SpecialistSettings],
    allowed: tuple[str, ...] | None = None,
    context_tokens: int = 0,
    **settings: Any,
) -> AsyncIterator[House]:
    """`models` are scripted endpoints, of which the region's domain allows those in `allowed`, by default all."""
    async with AsyncExitStack() as stack:
        scripted = {name: await stack.enter_async_context(endpoint(*turns)) for name, turns in models.items()}
        known = {
            name: ModelEndpoint(
                name, one.base_url, "scripted", None, None, _HERE, timeout_seconds=5.0, context_tokens=context_tokens
            )
            for name, one in scripted.items()
        }
        budgets = settings.pop("budgets", ModelBudgets())
        lists = {"gdpr": tuple(known) if allowed is None else allowed, **settings.pop("more_domains", {})}
        config = ModelsConfig(known, lists, budgets=budgets)
        settings = {"models": config, "domains": {"eu-west-1": "gdpr"}, "specialists": specialists, **settings}
        mesh = await stack.enter_async_context(running(tmp_path, **settings))
        mesh.coordinator.answers.update(
            GetOverview=answers.overview(),
            GetHealth=d.GetHealthResponse(health=answers.health(answers.blocker_finding())),
            GetLockWaits=answers.lock_waits(),
        )
        yield House(mesh, scripted)


def with_model(model: str, **changes: Any) -> SpecialistSettings:
    return replace(SpecialistSettings(_HERE, model=model), **changes)


def offered(request: dict[str, Any]) -> set[str]:
    return {tool["function"]["name"] for tool in request.get("tools", [])}


def told(request: dict[str, Any]) -> list[str]:
    return [str(message["content"]) for message in request["messages"] if message["role"] == "tool"]


async def test_specialists_work_side_by_side_with_their_own_models_and_tools(tmp_path: Path) -> None:
    barrier = asyncio.Barrier(2)

    def at_once(then: dict[str, Any]) -> Any:
        async def turn(_: dict[str, Any]) -> dict[str, Any]:
            async with asyncio.timeout(4):
                await barrier.wait()
            return then

        return turn

    models: dict[str, list[Turn]] = {
        "large": [_HEALTH, _BOTH, _FINDS],
        "engine": [at_once(_LOCKS), _FINDS],
        "clients": [at_once(calls(("list_processes", {"name": NAME}))), _NOTHING],
    }
    settings = {"database": with_model("engine"), "traffic": with_model("clients")}
    async with house(tmp_path, models, settings) as running_house:
        report = await running_house.report()
        request = agent_pb2.ListModelUsageRequest(group=agent_pb2.USAGE_GROUP_PROMPT)
        metadata = running_house.mesh.metadata(roles=("dba",))
        usage = (await running_house.mesh.stub.ListModelUsage(request, metadata=metadata)).usage
    large, engine, clients = (running_house.models[name].requests for name in models)
    assert report.written_by == "large/scripted"
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]
    assert {"get_lock_waits", "submit_report"} <= offered(engine[0])
    assert "delegate" in offered(large[0])
    assert not offered(engine[0]) & {"delegate", "get_traffic_of_all"}
    assert "get_failed_logins" in offered(clients[0])
    assert "Is there more traffic" in str(clients[0]["messages"][-1]["content"])
    assert any("A session holds locks." in text and "<DATA " in text for text in told(large[-1]))
    assert any("No more traffic" in text for text in told(large[-1]))
    assert {one.key: one.calls for one in usage} == {"lead@2": 3, "database@1": 2, "traffic@1": 2}
    assert report.usage.input_tokens == 700, "the specialists' tokens are the question's"


@pytest.mark.parametrize(
    "fault",
    [Reply(status=400), says("I would rather not."), calls(("drop_database", {"name": NAME})), b"nonsense"],
    ids=["refuses", "talks", "asks for what it has not", "is no server"],
)
async def test_a_specialist_that_fails_costs_its_own_task_only(tmp_path: Path, fault: Turn) -> None:
    models: dict[str, list[Turn]] = {"large": [_HEALTH, _BOTH, _FINDS], "engine": [_LOCKS, _FINDS], "clients": [fault]}
    settings = {"database": with_model("engine"), "traffic": with_model("clients", steps=2)}
    async with house(tmp_path, models, settings, allowed=("large", "engine", "clients")) as running_house:
        # The specialist's chain has nobody behind it here: what fails is really lost.
        running_house.models["large"].turns = [_HEALTH, _BOTH, _FINDS, _FINDS, _FINDS]
        report = await running_house.report()
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]
    assert not report.partial


async def test_a_specialist_that_hangs_is_given_up_and_the_next_model_takes_its_task(tmp_path: Path) -> None:
    async def hang(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(20)
        return _NOTHING

    task = calls(("delegate", {"specialist": "traffic", "task": "Is there more traffic?"}))
    models: dict[str, list[Turn]] = {"large": [_HEALTH, task, _NOTHING, _FINDS], "clients": [hang]}
    limits = LoopLimits(model_seconds=1.5)
    async with house(tmp_path, models, {"traffic": with_model("clients")}, limits=limits) as running_house:
        report = await running_house.report()
    assert len(running_house.models["clients"].requests) == 1
    assert report.written_by == "large/scripted"
    assert "SPECIALIST_FAILED" not in [limit.code for limit in report.limits]
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]


async def test_a_task_that_nobody_finishes_is_told_under_the_limits(tmp_path: Path) -> None:
    models: dict[str, list[Turn]] = {"large": [_HEALTH, _BOTH, _FINDS], "engine": [_LOCKS, _FINDS, says("and on")]}
    lazy = calls(("list_processes", {"name": NAME}))

    def at_the_house(request: dict[str, Any]) -> dict[str, Any]:
        return lazy if "Is there more traffic" in json.dumps(request) else _FINDS

    models["engine"] = [at_the_house]
    settings = {"database": with_model("engine"), "traffic": with_model("engine", steps=1)}
    async with house(tmp_path, models, settings) as running_house:
        report = await running_house.report()
    assert report.written_by == "large/scripted"
    failed = [limit.message for limit in report.limits if limit.code == "SPECIALIST_FAILED"]
    assert failed == ["The specialist traffic did not finish its task: It did not finish in 1 turns."]
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]


async def test_a_specialists_model_that_the_domain_does_not_allow_is_never_asked(tmp_path: Path) -> None:
    models: dict[str, list[Turn]] = {"large": [_HEALTH, _BOTH, _NOTHING, _NOTHING, _FINDS], "abroad": [_FINDS]}
    settings = {"database": with_model("abroad"), "traffic": with_model("abroad")}
    async with house(tmp_path, models, settings, allowed=("large",)) as running_house:
        report = await running_house.report()
    assert running_house.models["abroad"].requests == []
    assert len(running_house.models["large"].requests) == 5
    assert report.written_by == "large/scripted"


async def test_what_specialists_cost_is_charged_to_who_asks(tmp_path: Path) -> None:
    # Six calls of 110 tokens each would be needed; what is about to be sent counts too.
    models: dict[str, list[Turn]] = {"large": [_HEALTH, _BOTH, _FINDS], "engine": [_LOCKS]}
    settings = {"database": with_model("engine"), "traffic": with_model("engine")}
    budgets = ModelBudgets(user=ModelBudget(tokens=4000))
    async with house(tmp_path, models, settings, budgets=budgets) as running_house:
        report = await running_house.report()
    assert "MODEL_BUDGET_SPENT" in [limit.code for limit in report.limits]
    assert report.written_by == "builtin"
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]


async def test_a_specialist_has_no_tools_but_its_own(tmp_path: Path) -> None:
    foreign = calls(("stream_health", {"name": "regions/-/instances/-"}))
    task = calls(("delegate", {"specialist": "traffic", "task": "Look at everything."}))
    models: dict[str, list[Turn]] = {"large": [_HEALTH, task, _FINDS], "clients": [foreign, _NOTHING]}
    async with house(tmp_path, models, {"traffic": with_model("clients")}) as running_house:
        await running_house.report()
    assert "StreamHealth" not in running_house.mesh.coordinator.methods()
    assert "You have no such tool" in told(running_house.models["clients"].requests[-1])[0]


def _request_tokens(request: dict[str, Any]) -> int:
    messages = [Message(one["role"], str(one.get("content") or "")) for one in request["messages"]]
    functions = [tool["function"] for tool in request.get("tools", [])]
    return most_tokens(messages, [ToolSchema(f["name"], f["description"], f["parameters"]) for f in functions])


async def test_a_server_with_a_small_context_never_gets_more_than_it_takes(tmp_path: Path) -> None:
    reading = ("get_lock_waits", "list_processes", "list_transactions", "list_top_queries")
    turns: list[Turn] = [_HEALTH, *(calls((tool, {"name": NAME})) for tool in reading), _FINDS]
    waits = answers.lock_waits(victims=tuple(range(901, 961)))
    top = answers.top_queries()
    top.queries.extend(list(top.queries) * 60)
    limits = LoopLimits(steps=20)
    async with house(tmp_path, {"small": turns}, {}, context_tokens=8192, limits=limits) as running_house:
        running_house.mesh.coordinator.answers.update(GetLockWaits=waits, ListTopQueries=top)
        report = await running_house.report()
    requests = running_house.models["small"].requests
    assert len(requests) == len(turns)
    assert max(map(_request_tokens, requests)) <= 8192 - 2048
    assert max(len(json.dumps(request)) for request in requests) < 8192 * 4
    assert report.written_by == "small/scripted"
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]
    for request in requests:
        for text in told(request):
            assert text.count("<DATA ") == text.count("</DATA "), "a cut answer is still fenced"


async def test_a_specialist_can_look_at_a_recorded_answer_again(tmp_path: Path) -> None:
    again = calls(("show_more", {"call": "call_0_1"}), ("list_transactions", {"name": NAME}))
    task = calls(("delegate", {"specialist": "database", "task": f"Who holds locks on {NAME}?"}))
    models: dict[str, list[Turn]] = {"large": [_HEALTH, task, _FINDS], "engine": [again, _FINDS]}
    async with house(tmp_path, models, {"database": with_model("engine")}) as running_house:
        await running_house.report()
    shown = told(running_house.models["engine"].requests[1])[0]
    assert shown.startswith("get_health SUCCESS")


async def test_where_one_of_those_at_work_fails_badly_the_others_end_with_it() -> None:
    ended = asyncio.Event()

    async def fails() -> list[ToolRequest]:
        await asyncio.sleep(0)
        raise ValueError("nonsense")

    async def goes_on() -> list[ToolRequest]:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()
        return []

    with pytest.raises(ValueError, match="nonsense"):
        await side_by_side([fails(), goes_on()])
    assert ended.is_set()


async def test_a_specialist_that_failed_is_told_also_where_the_lead_is_overruled(tmp_path: Path) -> None:
    task = calls(("delegate", {"specialist": "traffic", "task": "Is there more traffic?"}))
    reads = calls(("list_processes", {"name": NAME}))
    models: dict[str, list[Turn]] = {"large": [_HEALTH, task, _NOTHING], "clients": [reads, reads, reads]}
    settings = {"traffic": with_model("clients", steps=1)}
    async with house(tmp_path, models, settings) as running_house:
        report = await running_house.report()
    assert report.written_by == "builtin"
    assert {"MODEL_UNSUPPORTED", "SPECIALIST_FAILED"} <= {limit.code for limit in report.limits}
