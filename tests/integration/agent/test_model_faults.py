"""Whatever a model or its server does, there is a right report: the faults that the other files leave out."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from services.agent.loop.limits import LoopLimits
from storex.agent.v1 import report_pb2
from tests.integration.agent.test_ask_with_a_model import mesh_with
from tests.integration.llm.scripted_server import Reply, Turn, calls, says
from tests.unit.agent.answers import NAME

_ENDLESS = json.dumps({"choices": [{"delta": {"content": "round and " * 100}, "finish_reason": None}]})
_HEALTH = {"name": NAME}


def _invents(kind: str, *entities: tuple[str, str, str]) -> dict[str, Any]:
    named = [{"role": role, "type": type_, "value": value} for role, type_, value in entities]
    return calls(("submit_report", {"answer": "It is so.", "root_causes": [_cause(kind, named)]}))


def _cause(kind: str, entities: list[dict[str, str]]) -> dict[str, Any]:
    return {"kind": kind, "name": NAME, "confidence": 1.0, "entities": entities}


@pytest.mark.parametrize(
    ("turn", "code"),
    [
        (Reply(status=429), "MODEL_UNAVAILABLE"),
        (Reply(status=503), "MODEL_UNAVAILABLE"),
        (Reply(says("half of an answer"), cut=True), "MODEL_UNAVAILABLE"),
        (
            Reply(f"data: {_ENDLESS}\n\n".encode() * 2000, headers={"content-type": "text/event-stream"}),
            "MODEL_NONSENSE",
        ),
        (says(""), "MODEL_NONSENSE"),
        (says("word " * 20_000), "MODEL_NONSENSE"),
        (calls(("get_health", {"name": 5})), "MODEL_REPEATS"),
        (calls(("get_health", [NAME])), "MODEL_REPEATS"),
        (calls(("get_metric_history", {"name": NAME, "minutes": "many"})), "MODEL_REPEATS"),
        (calls(("submit_report", {"root_causes": "none"})), "MODEL_NONSENSE"),
        (
            calls(("submit_report", {"answer": "x", "root_causes": [_cause("lock.row_blocker", []) | {"name": "it"}]})),
            "MODEL_NONSENSE",
        ),
        (_invents("query.missing_index", ("cause", "statement_digest", "deadbeef")), "MODEL_UNSUPPORTED"),
        (_invents("lock.row_blocker", ("holder", "connection_id", "4711")), "MODEL_UNSUPPORTED"),
        (calls(("delegate", {"specialist": "nobody", "task": "look"})), "MODEL_REPEATS"),
    ],
)
async def test_the_report_is_right_and_says_what_the_model_did(tmp_path: Path, turn: Turn, code: str) -> None:
    async with mesh_with(tmp_path, turn) as (mesh, _):
        report = (await mesh.ask(NAME))[-1].report
    assert code in [limit.code for limit in report.limits]
    assert report.written_by == "builtin"
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert {"4711", "deadbeef"}.isdisjoint(entity.value for cause in report.root_causes for entity in cause.entities)


async def test_a_model_that_never_ends_reading_is_ended_and_the_cause_found(tmp_path: Path) -> None:
    numbers = itertools.count(1)

    def one_more(_: dict[str, Any]) -> dict[str, Any]:
        return calls(("get_metric_history", {"name": NAME, "metric": "threads_running", "minutes": next(numbers)}))

    async with mesh_with(tmp_path, one_more, limits=LoopLimits(steps=8)) as (mesh, scripted):
        report = (await mesh.ask(NAME))[-1].report
    assert len(scripted.requests) <= 6
    assert report.partial or "MODEL_REPEATS" in [limit.code for limit in report.limits]
    assert [cause.kind for cause in report.root_causes] == ["lock.row_blocker"]
