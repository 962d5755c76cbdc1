"""Run the tool calls of one step side by side, each within its deadline, and record what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from services.agent.inquiry import CallOutcome, ToolRequest
from services.agent.loop.events import call_ended, call_started
from services.agent.loop.limits import Budget
from services.agent.reach import Reach
from services.agent.records import DENIED, ERROR, NO_DATA, SUCCESS, Record, Status, observation_of
from services.agent.tools.tool import Tool, ToolArgumentError
from storex.agent.v1 import agent_pb2
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2

_DENIALS = (Reason.RPC_NOT_PERMITTED, Reason.RESOURCE_NOT_FOUND)
Emit = Callable[[agent_pb2.AskResponse], Awaitable[None]]


@dataclass(slots=True)
class Calling:
    """Runs calls for one question; remembers which were made, so that none is made twice by accident."""

    tools: Mapping[str, Tool]
    reach: Reach
    budget: Budget
    turn: int
    emit: Emit
    _made: dict[str, CallOutcome] = field(default_factory=dict)
    _count: int = 0

    async def run(self, requests: Sequence[ToolRequest]) -> tuple[CallOutcome, ...]:
        """The outcomes, in the order of the requests. Requests beyond the budget come back as errors."""
        gate = asyncio.Semaphore(self.budget.limits.calls_at_once)

        async def gated(request: ToolRequest, call_id: str) -> CallOutcome:
            async with gate:
                return await self._run_one(request, call_id)

        planned: list[Awaitable[CallOutcome]] = []
        pending: dict[str, asyncio.Task[CallOutcome]] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for request in requests:
                    if request.key in self._made and not request.refresh:
                        planned.append(_done(self._again(request)))
                    elif request.key in pending:
                        planned.append(pending[request.key])
                    elif self.budget.tool_calls >= self.budget.limits.tool_calls:
                        planned.append(_done(_unusable(request, "", "The budget of tool calls is spent.")))
                    else:
                        self.budget.tool_calls += 1
                        self._count += 1
                        task = group.create_task(gated(request, f"call_{self.turn}_{self._count}"))
                        pending[request.key] = task
                        planned.append(task)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return tuple([await outcome for outcome in planned])

    def _again(self, request: ToolRequest) -> CallOutcome:
        made = self._made[request.key]
        return CallOutcome(request, made.call_id, made.status, made.records, made.problem, repeated=True)

    async def _run_one(self, request: ToolRequest, call_id: str) -> CallOutcome:
        tool = self.tools.get(request.tool)
        if tool is None:
            return _unusable(request, call_id, f"There is no such tool. There are: {', '.join(self.tools)}.")
        try:
            arguments = tool.check(request.arguments)
        except ToolArgumentError as error:
            return _unusable(request, call_id, f"{error}.")
        await self.emit(call_started(call_id, request))
        began = self.budget.monotonic()
        records = await self._read(tool, arguments, call_id)
        outcome = CallOutcome(request, call_id, _status_of(records), tuple(records), records[0].problem)
        await self.emit(call_ended(outcome, self.budget.monotonic() - began))
        self._made[request.key] = outcome
        return outcome

    async def _read(self, tool: Tool, arguments: dict[str, object], call_id: str) -> list[Record]:
        name = str(arguments.get("name", ""))
        try:
            messages = await self._with_one_retry(tool, arguments)
        except StorexError as error:
            return [self._failed(error, tool.name, name, call_id)]
        if not messages:
            return [Record(call_id, self.turn, tool.name, name, NO_DATA)]
        return [self._record(message, tool.name, name, call_id) for message in messages]

    async def _with_one_retry(self, tool: Tool, arguments: dict[str, object]) -> list[Message]:
        try:
            return await self._once(tool, arguments)
        except StorexError as error:
            wait = error.retry_seconds
            limit = min(self.budget.limits.longest_retry_seconds, self.budget.remaining_seconds / 2)
            if wait is None or wait > limit:
                raise
        await asyncio.sleep(wait)
        return await self._once(tool, arguments)

    async def _once(self, tool: Tool, arguments: dict[str, object]) -> list[Message]:
        seconds = min(self.budget.limits.tool_seconds, self.budget.remaining_seconds)
        try:
            async with asyncio.timeout(seconds):
                return await tool.run(self.reach.within(max(seconds, 0.001)), arguments)
        except TimeoutError:
            raise StorexError(Reason.DEADLINE_EXCEEDED) from None

    def _failed(self, error: StorexError, tool: str, name: str, call_id: str) -> Record:
        status = DENIED if error.reason in _DENIALS else ERROR
        return Record(call_id, self.turn, tool, name, status, reason=error.reason.name, problem=error.public_message)

    def _record(self, message: Message, tool: str, name: str, call_id: str) -> Record:
        if isinstance(message, diagnostics_pb2.StreamHealthResponse | fleet_pb2.StreamInstancesResponse):
            if message.HasField("region_error"):
                error = message.region_error
                return Record(call_id, self.turn, tool, error.name, ERROR, reason=error.reason, problem=error.message)
            if isinstance(message, fleet_pb2.StreamInstancesResponse):
                name = message.instance.name
        observation = observation_of(message)
        if observation is not None and observation.name:
            name = observation.name
        read = Record(call_id, self.turn, tool, name, SUCCESS, message)
        return replace(read, status=NO_DATA) if _is_empty(message) or read.unreached is not None else read


async def _done(outcome: CallOutcome) -> CallOutcome:
    return outcome


def _unusable(request: ToolRequest, call_id: str, problem: str) -> CallOutcome:
    return CallOutcome(request, call_id, ERROR, (), problem)


def _status_of(records: Sequence[Record]) -> Status:
    statuses = {record.status for record in records}
    for status in (SUCCESS, NO_DATA, ERROR):
        if status in statuses:
            return status
    return DENIED


def _is_empty(message: Message) -> bool:
    """Whether the answer says nothing beside where and when it was read."""
    return all(field.name == "observation" for field, _ in message.ListFields())
