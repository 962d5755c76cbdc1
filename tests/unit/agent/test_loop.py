from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from services.agent.inquiry import CallTools, Conclude, Inquiry, ReasonerFailedError, ToolRequest
from services.agent.loop.calling import Calling
from services.agent.loop.investigation import Investigation
from services.agent.loop.limits import Budget, LoopLimits
from services.agent.reach import Reach
from services.agent.reasoners.builtin.reasoner import Builtin
from services.agent.records import ERROR, NO_DATA, SUCCESS, Record
from services.agent.report.draft import Draft
from services.agent.target import parse_target
from services.agent.tools.tool import tool_from
from storex.agent.v1 import agent_pb2, report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME


class NoReach:
    def within(self, _: float) -> NoReach:
        return self


@dataclass
class Bench:
    """A loop over tools that answer from memory."""

    limits: LoopLimits = field(default_factory=LoopLimits)
    scripted: dict[str, Any] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    events: list[agent_pb2.AskResponse] = field(default_factory=list)
    time: float = 0.0
    health: d.InstanceHealth = field(default_factory=answers.health)

    def calling(self) -> Calling:
        async def look(reach: Reach, name: str) -> Message | Sequence[Message]:
            """Look.

            name: What at.
            """
            self.made.append(name)
            answer = self.scripted.get(name, d.GetLockWaitsResponse())
            if isinstance(answer, Exception):
                raise answer
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                return d.GetLockWaitsResponse()
            return cast(Message, answer)

        async def get_health(reach: Reach, name: str) -> d.GetHealthResponse:
            """Health.

            name: Of what.
            """
            return d.GetHealthResponse(health=self.health)

        async def get_overview(reach: Reach, name: str) -> d.GetOverviewResponse:
            """Overview.

            name: Of what.
            """
            return answers.overview()

        tools = {tool.name: tool for tool in map(tool_from, (look, get_health, get_overview))}
        budget = Budget(self.limits, lambda: self.time, self.limits.wall_seconds)
        return Calling(tools, cast(Reach, NoReach()), budget, 0, self.emit)

    async def emit(self, event: agent_pb2.AskResponse) -> None:
        self.events.append(event)

    async def investigate(self, reasoner: Any) -> report_pb2.Report:
        calling = self.calling()
        inquiry = Inquiry("ses_1", parse_target(NAME), "why?", 0.0, 600.0)
        fallback = reasoner if isinstance(reasoner, Builtin) else Builtin()
        return await Investigation(
            inquiry, reasoner, fallback, calling, calling.budget, self.emit, lambda: self.time
        ).run()


@dataclass
class Stubborn:
    """Asks for what its script says, the last entry for ever."""

    script: list[Any]
    label: str = "stubborn"
    tokens: tuple[int, int] = (0, 0)
    cost: float = 0.0
    seen: list[Any] = field(default_factory=list)

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        self.seen.append(inquiry.outcomes)
        move = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(move, Exception):
            raise move
        return cast("CallTools | Conclude", move)


def look(*names: str, refresh: bool = False) -> CallTools:
    return CallTools(tuple(ToolRequest("look", {"name": name}, refresh=refresh) for name in names))


async def test_the_same_call_is_made_once_unless_it_is_to_be_refreshed() -> None:
    bench = Bench()
    calling = bench.calling()
    first = await calling.run([ToolRequest("look", {"name": "a"}), ToolRequest("look", {"name": "a"})])
    again = await calling.run([ToolRequest("look", {"name": "a"})])
    fresh = await calling.run([ToolRequest("look", {"name": "a"}, refresh=True)])
    assert bench.made == ["a", "a"]
    assert first[0].call_id == first[1].call_id == again[0].call_id != fresh[0].call_id
    assert [outcome.repeated for outcome in (*again, *fresh)] == [True, False]


async def test_outcomes_say_data_nothing_error_and_why() -> None:
    bench = Bench(scripted={"data": answers.lock_waits(), "down": StorexError(Reason.DATABASE_ACCESS_DENIED)})
    requests = [ToolRequest("look", {"name": name}) for name in ("data", "nothing", "down")]
    outcomes = await bench.calling().run([*requests, ToolRequest("dig", {}), ToolRequest("look", {"depth": 1})])
    assert [outcome.status for outcome in outcomes] == [SUCCESS, NO_DATA, ERROR, ERROR, ERROR]
    assert outcomes[2].records[0].reason == "DATABASE_ACCESS_DENIED"
    assert "There is no such tool" in outcomes[3].problem
    assert "takes no argument of that name" in outcomes[4].problem
    assert bench.made == ["data", "nothing", "down"]


async def test_a_tool_that_hangs_costs_its_own_deadline_only() -> None:
    bench = Bench(LoopLimits(tool_seconds=0.05), scripted={"slow": 30.0, "quick": answers.lock_waits()})
    async with asyncio.timeout(2):
        outcomes = await bench.calling().run([ToolRequest("look", {"name": name}) for name in ("slow", "quick")])
    assert [outcome.status for outcome in outcomes] == [ERROR, SUCCESS]
    assert outcomes[0].records[0].reason == "DEADLINE_EXCEEDED"


async def test_calls_run_side_by_side() -> None:
    bench = Bench(scripted=dict.fromkeys("abcdef", 0.1))
    async with asyncio.timeout(0.4):
        outcomes = await bench.calling().run([ToolRequest("look", {"name": name}) for name in "abcdef"])
    assert [outcome.request.arguments["name"] for outcome in outcomes] == list("abcdef")


async def test_steps_are_limited_and_the_report_says_it_stops_short() -> None:
    names = iter(range(1000))

    class Endless(Stubborn):
        async def next_move(self, inquiry: Inquiry) -> CallTools:
            return look(str(next(names)))

    report = await Bench(LoopLimits(steps=4)).investigate(Endless([None]))
    assert report.partial
    assert report.written_by == "builtin"
    assert report.usage.steps == 4
    assert [limit.code for limit in report.limits if limit.source == "agent"] == ["BUDGET_SPENT"]


async def test_tool_calls_are_limited() -> None:
    bench = Bench(LoopLimits(tool_calls=3))
    report = await bench.investigate(Stubborn([look("a", "b", "c", "d", "e"), look("f")]))
    assert len(bench.made) == 3
    assert report.partial


async def test_tokens_are_limited() -> None:
    report = await Bench(LoopLimits(tokens=100)).investigate(Stubborn([look("a"), look("b")], tokens=(90, 20)))
    assert report.usage.input_tokens == 90
    _is_whole(report)


def _is_whole(report: report_pb2.Report) -> None:
    """What a model spends keeps `builtin`, which asks none, from nothing: its report rests on all that it wanted."""
    assert report.verdict == report_pb2.VERDICT_HEALTHY
    assert report.written_by == "builtin"
    assert not report.partial


async def test_going_round_in_circles_is_stopped() -> None:
    stubborn = Stubborn([look("a"), look("b"), look("a"), look("b"), look("a")])
    report = await Bench().investigate(stubborn)
    assert len(stubborn.seen) == 4
    assert all(outcome.repeated for outcome in stubborn.seen[3])
    assert report.written_by == "builtin"
    assert report.verdict == report_pb2.VERDICT_HEALTHY
    assert [limit.code for limit in report.limits] == ["MODEL_REPEATS"]


async def test_wall_time_is_limited() -> None:
    bench = Bench(LoopLimits(wall_seconds=10.0))

    class Dawdling(Stubborn):
        async def next_move(self, inquiry: Inquiry) -> CallTools:
            bench.time += 20
            return look(str(bench.time))

    report = await bench.investigate(Dawdling([None]))
    assert report.partial


async def test_a_reasoner_that_fails_is_replaced_and_the_report_is_whole() -> None:
    report = await Bench().investigate(Stubborn([ReasonerFailedError("MODEL_UNAVAILABLE", "The model is away.")]))
    assert report.verdict == report_pb2.VERDICT_HEALTHY
    assert report.written_by == "builtin"
    assert not report.partial
    assert [limit.code for limit in report.limits] == ["MODEL_UNAVAILABLE"]


async def test_a_conclusion_is_written_by_who_drew_it() -> None:
    report = await Bench().investigate(Stubborn([look("a"), Conclude(Draft())]))
    assert report.written_by == "stubborn"
    assert report.verdict == report_pb2.VERDICT_HEALTHY


async def test_a_confirming_reading_that_fails_does_not_keep_the_loop_from_ending() -> None:
    bench = Bench()
    bench.health = answers.health(answers.blocker_finding())
    report = await bench.investigate(Builtin())
    assert report.verdict == report_pb2.VERDICT_LIKELY
    assert not report.partial
    assert report.usage.steps <= 4


async def test_the_same_question_in_another_spelling_is_answered_from_what_is_known() -> None:
    bench = Bench()
    calling = bench.calling()
    calling.names = lambda: [NAME]
    await calling.run([ToolRequest("look", {"name": NAME})])
    short = NAME.rpartition("/")[2]
    again = await calling.run([ToolRequest("look", {"name": short}), ToolRequest("look", {"Name": f"{NAME}/"})])
    assert bench.made == [NAME]
    assert [outcome.repeated for outcome in again] == [True, True]
    reused = [event.tool_result for event in bench.events if event.tool_result.reused]
    assert [(result.name, result.arguments) for result in reused] == [(NAME, f'{{"name": "{NAME}"}}')] * 2


async def test_a_cycle_with_a_little_that_is_new_in_it_is_stopped() -> None:
    moves = [look("a"), look("b", refresh=True), look("a", refresh=True), look("b", refresh=True)]
    stubborn = Stubborn([*moves, look("c"), look("d")])
    report = await Bench().investigate(stubborn)
    assert len(stubborn.seen) == 4
    assert [limit.code for limit in report.limits] == ["MODEL_REPEATS"]


async def test_a_tool_has_its_own_deadline() -> None:
    limits = LoopLimits(tool_seconds=30.0, tools={"look": 0.05})
    bench = Bench(limits, scripted={"slow": 30.0})
    async with asyncio.timeout(2):
        (outcome,) = await bench.calling().run([ToolRequest("look", {"name": "slow"})])
    assert outcome.records[0].reason == "DEADLINE_EXCEEDED"


async def test_money_is_limited() -> None:
    report = await Bench(LoopLimits(cost=0.5)).investigate(Stubborn([look("a"), look("b")], cost=0.6))
    _is_whole(report)
    assert report.usage.cost == 0.6
    assert [limit.code for limit in report.limits if limit.source == "agent"] == ["BUDGET_SPENT"]


async def test_what_is_read_is_kept_before_anybody_hears_of_it() -> None:
    bench = Bench(scripted={"a": answers.lock_waits()})
    kept: list[tuple[str, int]] = []
    calling = bench.calling()

    async def keep(records: Sequence[Record]) -> None:
        kept.extend((record.call_id, len(bench.events)) for record in records)

    calling.keep = keep
    calling.now = lambda: 1_900_000_000.0
    (outcome,) = await calling.run([ToolRequest("look", {"name": "a"})])
    assert kept == [(outcome.call_id, 1)]
    assert outcome.records[0].recorded_at == 1_900_000_000.0
    assert outcome.records[0].arguments == '{"name": "a"}'
    result = bench.events[-1].tool_result
    assert (result.name, result.arguments) == ("a", '{"name": "a"}')
    assert result.window_end == answers.OBSERVED


async def test_recorded_answers_stand_in_for_calls_and_numbers_go_on() -> None:
    bench = Bench()
    first = bench.calling()
    (made,) = await first.run([ToolRequest("look", {"name": "a"})])
    second = bench.calling()
    second.count = first.count
    second.go_on_from(made.records)
    outcomes = await second.run([ToolRequest("look", {"name": "a"}), ToolRequest("look", {"name": "b"})])
    assert bench.made == ["a", "b"]
    assert [(outcome.call_id, outcome.repeated) for outcome in outcomes] == [("call_0_1", True), ("call_0_2", False)]
