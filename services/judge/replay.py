"""One scenario through one candidate: asks, follows along, and scores the last report."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field

from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from services.judge.reach import Reach
from services.judge.scorers.own_report import WITHOUT_MODELS
from services.judge.scorers.registry import scores_of
from storex.agent.v1.agent_pb2 import (
    TOOL_STATUS_DENIED,
    TOOL_STATUS_ERROR,
    AskRequest,
    AskResponse,
    ToolResult,
    ToolStatus,
)
from storex.agent.v1.candidate_pb2 import Candidate
from storex.agent.v1.report_pb2 import Report, Verdict
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_HARNESS_ERROR, OUTCOME_STATUS_SCORED, Outcome
from storex.judge.v1.scenario_pb2 import Scenario

_OF_THE_HARNESS = frozenset(
    reason.name
    for reason in (
        Reason.AGENT_UNAVAILABLE,
        Reason.DEADLINE_EXCEEDED,
        Reason.INTERNAL,
        Reason.NOT_READY,
        Reason.RATE_LIMITED,
        Reason.RESOURCE_NOT_FOUND,
        Reason.RPC_NOT_PERMITTED,
        Reason.SHARD_UNAVAILABLE,
        Reason.SNAPSHOT_DAMAGED,
        Reason.SNAPSHOT_KEY_DESTROYED,
        Reason.SNAPSHOT_TOO_NEW,
        Reason.TOKEN_EXPIRED,
        Reason.TOKEN_INVALID,
    )
)
"""Failures of a tool that say nothing about the candidate. What the recorded database itself failed with is none."""
_NO_MODEL_ANSWERED = frozenset({"MODEL_UNAVAILABLE", "MODEL_NOT_NAMED", "MODEL_BUDGET_SPENT", "MODEL_REFUSED"})
"""Limits of a report that a model was to write and nobody let it. One that was asked and failed is scored by that."""


@dataclass(slots=True)
class Followed:
    """What was seen of a conversation."""

    transcript: list[str] = field(default_factory=list)
    tool_calls: int = 0
    not_captured: int = 0
    session_id: str = ""
    report: Report | None = None
    failures: list[str] = field(default_factory=list)


async def replay(scenario: Scenario, candidate: Candidate, repeat: int, reach: Reach) -> Outcome:
    """The outcome, which is a harness error where anything but the candidate failed."""
    outcome = Outcome(scenario_id=scenario.scenario_id, family=scenario.family, repeat=repeat)
    followed = Followed()
    try:
        for question in scenario.questions:
            await _ask(question, scenario, candidate, reach, followed)
    except StorexError as error:
        followed.failures.append(f"{error.reason.name}: {error.public_message}")
    outcome.transcript.extend(followed.transcript)
    outcome.tool_calls, outcome.not_captured = followed.tool_calls, followed.not_captured
    problem = _problem(followed, candidate)
    if problem or followed.report is None:
        outcome.status = OUTCOME_STATUS_HARNESS_ERROR
        outcome.problem = problem or "The agent ended without a report."
        return outcome
    outcome.status = OUTCOME_STATUS_SCORED
    outcome.report.CopyFrom(followed.report)
    outcome.scores.extend(scores_of(scenario.truth, followed.report))
    return outcome


async def _ask(question: str, scenario: Scenario, candidate: Candidate, reach: Reach, followed: Followed) -> None:
    target = "" if followed.session_id else str(parse_name(scenario.world, snapshots=True).instance_name)
    request = AskRequest(target=target, question=question, session_id=followed.session_id, candidate=candidate)
    followed.transcript.append(f"? {question}")
    async with aclosing(reach.ask(request, scenario.world)) as events:
        async for event in events:
            _follow(event, scenario.world, followed)


def _follow(event: AskResponse, world: str, followed: Followed) -> None:
    match event.WhichOneof("event"):
        case "session_started":
            followed.session_id = event.session_started.session_id
        case "tool_call":
            followed.tool_calls += 1
        case "tool_result":
            result = event.tool_result
            followed.not_captured += result.reason == Reason.NOT_CAPTURED.name
            if _is_of_the_harness(result, world):
                followed.failures.append(f"{result.tool}: {result.reason}")
            asked = " ".join(f"{key}={value}" for key, value in _arguments(result.arguments).items())
            status = ToolStatus.Name(result.status).removeprefix("TOOL_STATUS_")
            followed.transcript.append(f"> {result.tool} {asked} {status} {result.summary}".replace("  ", " "))
        case "hypothesis":
            hypothesis = event.hypothesis
            followed.transcript.append(f"~ {hypothesis.kind} {hypothesis.confidence:.0%} {hypothesis.reason}")
        case "notice":
            followed.transcript.append(f"! {event.notice.text}")
        case "report":
            followed.report = event.report
            kinds = ", ".join(cause.kind for cause in event.report.root_causes) or "no cause"
            verdict = Verdict.Name(event.report.verdict).removeprefix("VERDICT_")
            followed.transcript.append(f"= {verdict} {kinds}: {event.report.answer}")


def _is_of_the_harness(result: ToolResult, world: str) -> bool:
    """Whether a failed call says nothing about the candidate; to ask about what there is not is its own mistake."""
    if result.status not in (TOOL_STATUS_ERROR, TOOL_STATUS_DENIED) or result.reason not in _OF_THE_HARNESS:
        return False
    strange = result.name not in ("", str(parse_name(world, snapshots=True).instance_name))
    return not (strange and result.reason == Reason.RESOURCE_NOT_FOUND.name)


def _arguments(text: str) -> dict[str, object]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _problem(followed: Followed, candidate: Candidate) -> str:
    if followed.failures:
        return f"{followed.failures[0]}"
    codes = {limit.code for limit in followed.report.limits} if followed.report is not None else set()
    if candidate.reasoner not in WITHOUT_MODELS and codes & _NO_MODEL_ANSWERED:
        which = f"The model {candidate.reasoner}" if candidate.reasoner else "The model"
        return f"{which} was not asked, or did not answer: {', '.join(sorted(codes & _NO_MODEL_ANSWERED))}."
    return ""
