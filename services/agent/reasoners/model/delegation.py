"""`delegate`: a model that leads hands tasks to specialists, who work side by side, each with a model of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from libs.llm import Message, ToolCallRequest, ToolSchema
from libs.llm.door import ModelChain
from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome, Inquiry, ReasonerFailedError, ToolRequest
from services.agent.prompts.prompt import load_prompt
from services.agent.reasoners.model.decoding import json_object
from services.agent.reasoners.model.fencing import MORE, Fence
from services.agent.reasoners.model.talk import Talk
from services.agent.report.draft import Draft
from services.agent.specialists.registry import LEAD, Specialist

DELEGATE = "delegate"
MOST_TASKS = 8
"""Tasks that a lead may hand out for one question."""
_MOST_TEXT = 2000
"""Characters of a task, and of what comes back."""
_PROMPT = load_prompt("specialist@1")

ChainFor = Callable[[Specialist], ModelChain]


def delegate_schema(specialists: Mapping[str, Specialist]) -> ToolSchema:
    """The tool as the lead sees it."""
    names = [name for name in specialists if name != LEAD]
    properties = {
        "specialist": {"type": "string", "enum": names},
        "task": {"type": "string", "description": "What to find out, and on which instance."},
    }
    return ToolSchema(
        DELEGATE,
        "Hand a task to a specialist, who reads and reports. Several in one turn work side by side.",
        {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False},
    )


class _Assignment:
    """One task of one specialist: a bounded conversation of its own."""

    def __init__(self, number: int, specialist: Specialist, call_id: str, task: str, talk: Talk) -> None:
        self.specialist = specialist
        self.call_id = call_id
        self.talk = talk
        self.answer = ""
        self.problem = ""
        self._prefix = f"{specialist.name}{number}/"
        self._task = task
        self._turns = 0
        self._told: dict[str, str] = {}

    @property
    def is_done(self) -> bool:
        """Whether it has reported, or never will."""
        return bool(self.answer or self.problem)

    async def go_on(self, inquiry: Inquiry, came: Mapping[str, CallOutcome], seconds: float) -> list[ToolRequest]:
        """Its next turn: what it wants to read. A failure ends the task, never the question."""
        try:
            async with asyncio.timeout(seconds):
                return await self._turn(inquiry, came)
        except ReasonerFailedError as failure:
            self.problem = failure.problem
        except TimeoutError:
            self.problem = "It did not answer in time."
        return []

    async def _turn(self, inquiry: Inquiry, came: Mapping[str, CallOutcome]) -> list[ToolRequest]:
        if not self.talk.is_open:
            self.talk.open(self._opening(inquiry))
        mine = {
            reference.removeprefix(self._prefix): o
            for reference, o in came.items()
            if reference.startswith(self._prefix)
        }
        self.talk.answer(mine, self._told, inquiry.records)
        limit = self.specialist.tokens
        if limit and sum(self.talk.chain.tokens) >= limit:
            raise ReasonerFailedError("BUDGET_SPENT", f"It used up its {limit:,} tokens.")
        self._turns += 1
        if self._turns > self.specialist.steps:
            raise ReasonerFailedError("BUDGET_SPENT", f"It did not finish in {self.specialist.steps} turns.")
        # What was read is of no use to the lead unless it is reported in the last turn.
        self.talk.must_report = self._turns == self.specialist.steps > 1
        move = await self.talk.move(inquiry.records)
        if isinstance(move, Draft):
            self.answer = self.talk.submitted[:_MOST_TEXT]
            return []
        return self._requests(move)

    def _opening(self, inquiry: Inquiry) -> list[Message]:
        kinds = ", ".join(sorted(self.specialist.kinds))
        prompt = _PROMPT.render(
            target=inquiry.target.text, kinds=kinds or "any", advice=self.specialist.prompt.render()
        )
        return [Message("system", prompt), Message("user", self._task)]

    def _requests(self, calls: Sequence[ToolCallRequest]) -> list[ToolRequest]:
        own = {tool.name for tool in self.specialist.tools}
        self._told = {
            call.call_id: f"You have no such tool. You have: {', '.join(sorted(own))}."
            for call in calls
            if call.name not in (*own, MORE)
        }
        return [
            ToolRequest(call.name, arguments, reference=self._prefix + call.call_id)
            for call in calls
            if call.name in own and (arguments := json_object(call.arguments)) is not None
        ]


class Team:
    """The tasks that were handed out for one question."""

    def __init__(
        self,
        specialists: Mapping[str, Specialist],
        chain_for: ChainFor,
        view: ModelView,
        fence: Fence,
        timeout_seconds: float,
    ) -> None:
        self._specialists = {name: one for name, one in specialists.items() if name != LEAD}
        self._chain_for = chain_for
        self._view = view
        self._fence = fence
        self._timeout_seconds = timeout_seconds
        self._assignments: list[_Assignment] = []
        self._refused: dict[str, str] = {}
        self._reported = 0

    @property
    def chains(self) -> list[ModelChain]:
        """The models at work, for what they cost."""
        return [one.talk.chain for one in self._assignments]

    @property
    def is_busy(self) -> bool:
        """Whether a task is under way."""
        return any(not one.is_done for one in self._assignments)

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        """What the report has to tell of those who did not finish, as (code, sentence); both PUBLIC."""
        failed = [one for one in self._assignments if one.problem]
        return tuple(
            ("SPECIALIST_FAILED", f"The specialist {one.specialist.name} did not finish its task: {one.problem}")
            for one in failed
        )

    def begin(self, calls: Sequence[ToolCallRequest]) -> int:
        """Take the lead's calls of `delegate`; returns how many of them somebody can do."""
        self._refused = {}
        self._reported = len(self._assignments)
        for call in calls:
            asked = json_object(call.arguments) or {}
            specialist, task = self._specialists.get(str(asked.get("specialist"))), asked.get("task")
            if specialist is None or not isinstance(task, str) or not task.strip():
                known = ", ".join(self._specialists)
                self._refused[call.call_id] = f"Name a specialist and a task in words. Specialists: {known}."
            elif len(self._assignments) >= MOST_TASKS:
                self._refused[call.call_id] = "No more tasks can be handed out for this question. Report what you know."
            else:
                tools = [tool.schema for tool in specialist.tools]
                chain = self._chain_for(specialist)
                talk = Talk(chain, tools, self._view, self._fence, self._timeout_seconds)
                number = len(self._assignments)
                self._assignments.append(_Assignment(number, specialist, call.call_id, task[:_MOST_TEXT], talk))
        return len(self._assignments) - self._reported

    async def go_on(self, inquiry: Inquiry, came: Mapping[str, CallOutcome]) -> list[ToolRequest]:
        """What all that are at work want to read next; empty when none is any more."""
        while self.is_busy:
            working = [one for one in self._assignments if not one.is_done]
            # Twice, so that the next endpoint has its time where the first one hangs.
            turns = [one.go_on(inquiry, came, 2 * self._timeout_seconds) for one in working]
            wanted = [request for found in await side_by_side(turns) for request in found]
            if wanted:
                return wanted
            came = {}
        return []

    def answers(self) -> dict[str, str]:
        """What the lead is told of its last tasks, by the id of its call."""
        told = dict(self._refused)
        for one in self._assignments[self._reported :]:
            name = one.specialist.name
            told[one.call_id] = (
                self._fence.quote(f"{name} reports", one.answer)
                if one.answer
                else f"{name} did not finish: {one.problem} What it read is recorded; go on without it."
            )
        return told


async def side_by_side(turns: Sequence[Coroutine[Any, Any, list[ToolRequest]]]) -> list[list[ToolRequest]]:
    """What each comes to; where one raises, the others end with it."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(turn) for turn in turns]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
