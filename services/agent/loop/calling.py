"""Run the tool calls of one step side by side, each within its deadline, and record what came of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from services.agent.inquiry import CallOutcome, ToolRequest
from services.agent.loop.events import call_ended, call_started
from services.agent.loop.limits import Budget
from services.agent.loop.recorded import recorded_outcomes
from services.agent.loop.repetition import Repetition, as_json, key_of, settled
from services.agent.reach import Reach
from services.agent.records import DENIED, ERROR, NO_DATA, SUCCESS, Record, observation_of, status_of
from services.agent.tools.tool import Tool, ToolArgumentError
from storex.agent.v1 import agent_pb2
from storex.diagnostics.v1 import diagnostics_pb2
from storex.fleet.v1 import fleet_pb2

_DENIALS = (Reason.RPC_NOT_PERMITTED, Reason.RESOURCE_NOT_FOUND)
Emit = Callable[[agent_pb2.AskResponse], Awaitable[None]]
Keep = Callable[[Sequence[Record]], Awaitable[None]]


async def _keep_nowhere(_: Sequence[Record]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that can be made: its tool, and its arguments in one spelling."""

    request: ToolRequest
    tool: Tool
    arguments: dict[str, object]
    call_id: str = ""

    @property
    def key(self) -> str:
        return key_of(self.tool.name, self.arguments)

    @property
    def name(self) -> str:
        return str(self.arguments.get("name", ""))


@dataclass(slots=True)
class Calling:
    """Runs calls for one question; remembers which were made, so that none is made twice by accident.

    `keep` stores what a call returned before anybody hears of it. `names` are the resources that a short name may mean.
    """

    tools: Mapping[str, Tool]
    reach: Reach
    budget: Budget
    turn: int
    emit: Emit
    keep: Keep = _keep_nowhere
    names: Callable[[], Iterable[str]] = tuple
    now: Callable[[], float] = time.time
    repetition: Repetition = field(default_factory=Repetition)
    count: int = 0
    """The number of the last call."""

    def go_on_from(self, records: Iterable[Record]) -> None:
        """Take recorded answers of this question for calls that were made."""
        for arguments, outcome in recorded_outcomes(records):
            self.repetition.remember(arguments, outcome)

    async def run(self, requests: Sequence[ToolRequest]) -> tuple[CallOutcome, ...]:
        """The outcomes, in the order of the requests. Requests beyond the budget come back as errors."""
        gate = asyncio.Semaphore(self.budget.limits.calls_at_once)
        planned: list[Awaitable[CallOutcome]] = []
        pending: dict[str, asyncio.Task[CallOutcome]] = {}
        keys: list[str] = []
        try:
            async with asyncio.TaskGroup() as group:
                for request in requests:
                    call = self._understood(request)
                    if isinstance(call, CallOutcome):
                        keys.append(request.key)
                        planned.append(_done(call))
                        continue
                    keys.append(call.key)
                    if call.key not in pending:
                        known = await self._without_asking(call)
                        if known is not None:
                            planned.append(_done(known))
                            continue
                        pending[call.key] = group.create_task(self._gated(gate, self._numbered(call)))
                    planned.append(pending[call.key])
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        self.repetition.step(keys)
        return tuple([await outcome for outcome in planned])

    def _understood(self, request: ToolRequest) -> _Call | CallOutcome:
        tool = self.tools.get(request.tool)
        if tool is None:
            return _unusable(request, f"There is no such tool. There are: {', '.join(self.tools)}.")
        try:
            return _Call(request, tool, settled(tool, request.arguments, self.names()))
        except ToolArgumentError as error:
            return _unusable(request, f"{error}.")

    async def _without_asking(self, call: _Call) -> CallOutcome | None:
        """What is known of a call already, or why it is not made; None for one that is to be made."""
        made = None if call.request.refresh else self.repetition.made(call.tool.name, call.arguments)
        if made is not None:
            again = CallOutcome(call.request, made.call_id, made.status, made.records, made.problem, repeated=True)
            await self.emit(call_ended(again, call.name, as_json(call.arguments), 0.0))
            return again
        if self.budget.tool_calls >= self.budget.most_calls:
            return _unusable(call.request, "The budget of tool calls is spent.")
        return None

    def _numbered(self, call: _Call) -> _Call:
        self.budget.tool_calls += 1
        self.count += 1
        return replace(call, call_id=f"call_{self.turn}_{self.count}")

    async def _gated(self, gate: asyncio.Semaphore, call: _Call) -> CallOutcome:
        async with gate:
            return await self._run_one(call)

    async def _run_one(self, call: _Call) -> CallOutcome:
        asked = as_json(call.arguments)
        await self.emit(call_started(call.call_id, call.tool.name, call.name, asked))
        began = self.budget.monotonic()
        records = [
            replace(record, arguments=asked, recorded_at=self.now())
            for record in await self._read(call.tool, call.arguments, call.call_id)
        ]
        outcome = CallOutcome(call.request, call.call_id, status_of(records), tuple(records), records[0].problem)
        await self.keep(records)
        self.repetition.remember(call.arguments, outcome)
        await self.emit(call_ended(outcome, call.name, asked, self.budget.monotonic() - began))
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
        seconds = min(self.budget.limits.seconds_for(tool.name), self.budget.remaining_seconds)
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


def _unusable(request: ToolRequest, problem: str) -> CallOutcome:
    return CallOutcome(request, "", ERROR, (), problem)


def _is_empty(message: Message) -> bool:
    """Whether the answer says nothing beside where and when it was read."""
    return all(field.name == "observation" for field, _ in message.ListFields())
