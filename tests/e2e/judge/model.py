"""A model that does what its prompt says, over real HTTP in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from services.judge.grading.rubric import load_rubric
from tests.integration.llm.scripted_server import ScriptedEndpoint, calls, endpoint, says

GRADER = "grader"
"""The model's name where it judges reports."""

Script = Callable[[dict[str, Any]], Any]
Causes = Sequence[dict[str, Any]]


@contextmanager
def answering(script: Script) -> Iterator[ScriptedEndpoint]:
    """An endpoint that answers each request as the script does, while the block lasts."""
    loop = asyncio.new_event_loop()
    started: list[ScriptedEndpoint] = []
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with endpoint(script) as scripted:
            started.append(scripted)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def reads_and_reports(request: Mapping[str, Any], report: Callable[[Causes], Causes] = lambda found: found) -> Any:
    """Reads health and lock waits, then hands in what `report` makes of the findings that no other one explains."""
    messages = request["messages"]
    shown = [str(message["content"]) for message in messages if message["role"] == "tool"]
    if not shown:
        name = next(word for word in messages[0]["content"].split() if word.startswith("regions/")).rstrip(".")
        return calls(("get_health", {"name": name}), ("get_lock_waits", {"name": name}))
    health = next(_data(text) for text in shown if text.startswith("get_health"))["health"]
    findings = health.get("findings", [])
    explained = {effect for finding in findings for effect in finding.get("explains", [])}
    causes = [
        {
            "kind": finding["kind"],
            "name": health["observation"]["name"],
            "confidence": 0.9,
            "entities": [
                {
                    "role": entity["role"],
                    "type": entity["type"].removeprefix("ENTITY_TYPE_").lower(),
                    "value": entity["value"],
                }
                for entity in finding.get("entities", [])
            ],
        }
        for finding in findings
        if finding["id"] not in explained
    ]
    return calls(("submit_report", {"answer": "This is what the detectors found.", "root_causes": report(causes)}))


def finds_it_good(request: Mapping[str, Any], against: Callable[[str, str], bool] = lambda *_: False) -> Any:
    """Speaks for the report in every answer, but where `against` a question's id and the report's text."""
    message = str(request["messages"][-1]["content"])
    report = message.partition("<DATA ")[2].partition(">\n")[2].partition("\n</DATA")[0]
    known = {"names_a_cause": "\nroot cause " in report, "says_healthy": "verdict: HEALTHY" in report}
    asked = message.partition("The questions:\n")[2]
    answers = []
    for question in load_rubric("standard@1").questions:
        if f"- {question.id}: " in asked:
            yes = known.get(question.known, question.good is not against(question.id, report))
            quote = report.partition("\n")[0] if yes else ""
            answers.append({"question": question.id, "yes": yes, "reason": "It says so.", "quote": quote})
    return says(json.dumps({"answers": answers}))


def _data(text: str) -> Any:
    body = text[text.index("<DATA") :]
    return json.loads(body[body.index("\n") : body.index("</DATA")])
