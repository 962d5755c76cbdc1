from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from libs.config import ModelBudget, ModelBudgets
from libs.core.errors import Reason, StorexError
from libs.llm import (
    BudgetSpentError,
    Completion,
    Endpoint,
    Message,
    NonsenseAnswerError,
    OutgoingRefusedError,
    ToolSchema,
)
from libs.llm.budget import DAY_SECONDS, DailyBudgets
from libs.llm.door import Door, PromptUsed
from libs.llm.ledger import RETENTION_SECONDS, Group, Ledger, Who

_NOON = 1_900_000_000.0 - 1_900_000_000.0 % DAY_SECONDS + 43_200
_ALICE = Who("user:alice", ("payments", "search"), "ses_1")
_BOB = Who("user:bob", ("payments",), "ses_2")
_ASK = [Message("user", "why?")]
_FIRST = Endpoint("first", "http://first", "large", input_price=10.0, output_price=30.0)
_SECOND = Endpoint("second", "http://second", "small")


@dataclass
class Clock:
    seconds: float = _NOON

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Says:
    """A model that answers with what it is told to, or fails with it."""

    label: str
    answer: Completion | BaseException = field(default_factory=lambda: Completion("fine", (), 1000, 100))
    asked: int = 0
    wait: asyncio.Event | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        *,
        timeout_seconds: float,
        schema: ToolSchema | None = None,
    ) -> Completion:
        self.asked += 1
        self.begun.set()
        if self.wait is not None:
            await self.wait.wait()
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def close(self) -> None:
        self.label = "closed"


@dataclass
class House:
    """A door over a ledger in a file, and the models behind it."""

    path: Path
    budgets: ModelBudgets = field(default_factory=ModelBudgets)
    clock: Clock = field(default_factory=Clock)
    models: dict[str, Says] = field(default_factory=lambda: {name: Says(name) for name in ("first", "second")})
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.path / "agent" / "models.db", self.clock.now())
        self.door = self.door_with(self.budgets)

    def door_with(self, budgets: ModelBudgets) -> Door:
        daily = DailyBudgets(budgets, self.ledger, self.clock, "EUR")
        return Door(lambda endpoint: self.models[endpoint.label], self.ledger, daily, self.clock, self.refused.append)

    async def ask(self, who: Who = _ALICE, messages: Sequence[Message] = _ASK) -> Completion:
        chain = self.door.chain([_FIRST, _SECOND], who, PromptUsed("lead@1", "abc"))
        return await chain.complete(messages, [], timeout_seconds=5)

    async def outcomes(self) -> dict[str, int]:
        return {entry.key: entry.calls for entry in await self.ledger.sums(Group.OUTCOME, 0.0)}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    built = House(tmp_path)
    yield built
    await built.ledger.close()


async def test_each_call_is_written_down_with_who_what_and_how_much(house: House) -> None:
    assert (await house.ask()).cost == pytest.approx(0.013)
    await house.ask(_BOB)
    by_subject = await house.ledger.sums(Group.SUBJECT, 0.0)
    assert {entry.key: entry.input_tokens for entry in by_subject} == {"user:alice": 1000, "user:bob": 1000}
    by_team = {entry.key: (entry.calls, round(entry.cost, 3)) for entry in await house.ledger.sums(Group.TEAM, 0.0)}
    assert by_team == {"payments": (2, 0.026), "search": (1, 0.013)}
    assert [entry.key for entry in await house.ledger.sums(Group.MODEL, 0.0)] == ["first/large"]
    assert [entry.key for entry in await house.ledger.sums(Group.PROMPT, 0.0)] == ["lead@1"]
    assert await house.ledger.sums(Group.SUBJECT, _NOON + 1) == []


async def test_a_ledger_that_cannot_be_kept_is_an_error_with_a_name_and_no_other_endpoint_is_asked(
    house: House, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "agent" / "models.db")) as other:
        other.execute("DROP TABLE calls")
        other.commit()
    for asked in (house.ask(), house.ledger.sums(Group.OUTCOME, 0.0)):
        with pytest.raises(StorexError) as failure:
            await asked
        assert failure.value.reason is Reason.MODEL_LEDGER_UNAVAILABLE
    assert house.models["second"].asked == 0, "nor paid without a trace"


async def test_nothing_that_was_said_is_kept(house: House, tmp_path: Path) -> None:
    house.models["first"].answer = Completion("a very private answer", (), 1, 1)
    await house.ask(messages=[Message("user", "a very private question")])
    kept = b"".join(path.read_bytes() for path in (tmp_path / "agent").iterdir())
    assert b"user:alice" in kept
    assert b"very private" not in kept


async def test_the_next_endpoint_answers_when_one_fails_and_both_are_counted(house: House) -> None:
    house.models["first"].answer = StorexError(Reason.MODEL_UNAVAILABLE)
    chain = house.door.chain([_FIRST, _SECOND], _ALICE, PromptUsed("lead@1", "abc"))
    assert chain.label == "first"
    for _ in range(2):
        assert (await chain.complete(_ASK, [], timeout_seconds=5)).text == "fine"
    assert chain.label == "second"
    assert (house.models["first"].asked, house.models["second"].asked) == (1, 2)
    assert await house.outcomes() == {"answered": 2, "unavailable": 1}
    assert chain.tokens == (2000, 200)


async def test_the_last_endpoints_failure_is_told(house: House) -> None:
    house.models["first"].answer = StorexError(Reason.MODEL_UNAVAILABLE)
    house.models["second"].answer = NonsenseAnswerError("a poem")
    with pytest.raises(NonsenseAnswerError):
        await house.ask()
    assert await house.outcomes() == {"unavailable": 1, "nonsense": 1}


async def test_what_looks_like_customer_data_is_not_sent_and_is_counted(house: House) -> None:
    with pytest.raises(OutgoingRefusedError):
        await house.ask(messages=[Message("tool", "WHERE name = 'Bob Smith'", call_id="c1")])
    assert house.refused == ["literal"]
    assert [model.asked for model in house.models.values()] == [0, 0]
    assert await house.outcomes() == {"refused": 1}


async def test_a_persons_budget_ends_with_the_tokens_and_starts_anew_with_the_day(house: House) -> None:
    house.door = house.door_with(ModelBudgets(user=ModelBudget(tokens=2000), users={"bob": ModelBudget(tokens=9000)}))
    await house.ask()
    await house.ask()
    with pytest.raises(BudgetSpentError, match=r"Your budget .* 2200 of 2000 tokens"):
        await house.ask()
    await house.ask(_BOB)
    assert house.models["first"].asked == 3
    house.clock.seconds += DAY_SECONDS / 2
    await house.ask()


async def test_a_teams_budget_is_what_its_members_spend_together(house: House) -> None:
    house.door = house.door_with(ModelBudgets(team=ModelBudget(cost=0.02)))
    await house.ask(_ALICE)
    await house.ask(_BOB)
    with pytest.raises(BudgetSpentError, match=r"team payments .* 0.03 of 0.02 EUR"):
        await house.ask(_BOB)


async def test_a_budget_survives_a_restart(house: House, tmp_path: Path) -> None:
    await house.ask()
    await house.ledger.close()
    house.ledger = Ledger(tmp_path / "agent" / "models.db", house.clock.now())
    house.door = house.door_with(ModelBudgets(user=ModelBudget(tokens=1000)))
    with pytest.raises(BudgetSpentError):
        await house.ask()


async def test_many_at_once_do_not_overspend(house: House) -> None:
    house.door = house.door_with(ModelBudgets(user=ModelBudget(tokens=50)))
    gate = asyncio.Event()
    house.models["first"].wait = gate
    house.models["first"].answer = Completion("fine", (), 10, 1)
    asked = [asyncio.create_task(house.ask(messages=[Message("user", "x" * 80)])) for _ in range(10)]
    await house.models["first"].begun.wait()
    gate.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, BudgetSpentError) for answer in answers) >= 6
    assert (await house.ledger.spent_by_subject("user:alice", 0.0)).tokens <= 50


async def test_a_call_that_is_cancelled_is_counted_as_sent(house: House) -> None:
    house.models["first"].wait = asyncio.Event()
    task = asyncio.create_task(house.ask(messages=[Message("user", "x" * 400)]))
    await house.models["first"].begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert await house.outcomes() == {"cancelled": 1}
    assert (await house.ledger.spent_by_subject("user:alice", 0.0)).tokens == 100


async def test_tokens_are_estimated_where_an_endpoint_does_not_count(house: House) -> None:
    house.models["first"].answer = Completion("x" * 40, (), 0, 0)
    await house.ask(messages=[Message("user", "x" * 400)])
    spent = await house.ledger.spent_by_subject("user:alice", 0.0)
    assert spent.tokens == 110
    assert spent.cost == pytest.approx(0.0013)


async def test_old_rows_are_dropped_and_the_file_is_for_its_owner_only(house: House, tmp_path: Path) -> None:
    await house.ask()
    path = tmp_path / "agent" / "models.db"
    assert path.stat().st_mode & 0o077 == 0
    later = Ledger(path, _NOON + RETENTION_SECONDS + 1)
    assert await later.sums(Group.TEAM, 0.0) == []
    await later.close()
