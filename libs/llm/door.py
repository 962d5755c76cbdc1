"""The one door: every call to a model goes through here, is looked at, paid from a budget, and written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.llm.budget import DailyBudgets
from libs.llm.conversation import (
    BudgetSpentError,
    Completion,
    Message,
    NonsenseAnswerError,
    OutgoingRefusedError,
    ToolSchema,
)
from libs.llm.endpoint import Endpoint, Model
from libs.llm.ledger import Ledger, ModelCall, Outcome, Spent, Who
from libs.llm.outgoing import customer_like
from libs.llm.size import most_tokens

_CHARACTERS_A_TOKEN = 4
"""A usual figure for English and JSON; used where an endpoint does not count, and before it has."""


Fit = Callable[[Sequence[Message], Sequence[ToolSchema], int], tuple[Sequence[Message], Sequence[ToolSchema]]]
"""Cuts a request to so many tokens, by `most_tokens`."""


@dataclass(frozen=True, slots=True)
class PromptUsed:
    """The prompt of a conversation by name and version, and the hash of its text."""

    names: str
    text_hash: str


class Door:
    """Opens endpoints once, and hands out chains of them. `refused` is told the kind of what was about to leave."""

    def __init__(
        self,
        opener: Callable[[Endpoint], Model],
        ledger: Ledger,
        budgets: DailyBudgets,
        clock: Clock,
        refused: Callable[[str], None],
    ) -> None:
        self._opener = opener
        self._open: dict[Endpoint, Model] = {}
        self.ledger = ledger
        self.budgets = budgets
        self.clock = clock
        self.refused = refused

    def open(self, endpoint: Endpoint) -> Model:
        """The client of an endpoint."""
        if endpoint not in self._open:
            self._open[endpoint] = self._opener(endpoint)
        return self._open[endpoint]

    def chain(self, endpoints: Sequence[Endpoint], who: Who, prompt: PromptUsed) -> ModelChain:
        """Endpoints to ask one after the other, in order of preference; all of them must be allowed to be asked."""
        return ModelChain(self, list(endpoints), who, prompt)

    async def close(self) -> None:
        """Close the clients."""
        for model in self._open.values():
            await model.close()


class ModelChain:
    """The models of one question: the first that answers is asked, and the next when one fails."""

    def __init__(self, door: Door, endpoints: list[Endpoint], who: Who, prompt: PromptUsed) -> None:
        self._door = door
        self._endpoints = endpoints
        self._who = who
        self._prompt = prompt
        self.tokens = (0, 0)
        self.cost = 0.0

    @property
    def room_tokens(self) -> int:
        """What the endpoint that answers now takes in one request; 0 where nothing needs to be cut."""
        return self._endpoints[0].room_tokens

    @property
    def label(self) -> str:
        """The endpoint and model that answers now."""
        return self._door.open(self._endpoints[0]).label

    async def complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        *,
        timeout_seconds: float,
        schema: ToolSchema | None = None,
        fit: Fit | None = None,
    ) -> Completion:
        """The next turn, by the first endpoint that gives one; one that fails is not asked again.

        What is too much for an endpoint's context is cut by `fit`; what is still too much is not sent there.
        Raises StorexError MODEL_UNAVAILABLE and NonsenseAnswerError as the last endpoint did, BudgetSpentError,
        OutgoingRefusedError, and StorexError MODEL_LEDGER_UNAVAILABLE, after which no other endpoint is asked.
        """
        await self._look(messages)
        while True:
            try:
                sent = _fitted(self._endpoints[0], messages, tools, schema, fit)
                return await self._ask(self._endpoints[0], *sent, timeout_seconds, schema)
            except (StorexError, NonsenseAnswerError) as error:
                unpaid = isinstance(error, StorexError) and error.reason is Reason.MODEL_LEDGER_UNAVAILABLE
                if unpaid or len(self._endpoints) == 1:
                    raise
                del self._endpoints[0]

    async def _look(self, messages: Sequence[Message]) -> None:
        kind = customer_like(messages)
        if kind:
            self._door.refused(kind)
            await self._write(self._endpoints[0], Outcome.REFUSED, 0.0)
            raise OutgoingRefusedError(kind)

    async def _ask(
        self,
        endpoint: Endpoint,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        timeout_seconds: float,
        schema: ToolSchema | None,
    ) -> Completion:
        sent = _estimate(*_texts_of(messages, tools))
        expected = Spent(sent, endpoint.cost(sent, 0))
        began = self._door.clock.monotonic()
        outcome, answer = Outcome.UNAVAILABLE, None
        try:
            async with self._door.budgets.held(self._who, expected):
                answer = await self._door.open(endpoint).complete(
                    messages, tools, timeout_seconds=timeout_seconds, schema=schema
                )
            answer, outcome = _counted(answer, sent, endpoint), Outcome.ANSWERED
            return answer
        except BudgetSpentError:
            outcome = Outcome.OVER_BUDGET
            raise
        except NonsenseAnswerError:
            outcome = Outcome.NONSENSE
            raise
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
            raise
        finally:
            # What was cancelled or made no sense was sent all the same, and is paid for.
            lost = sent if outcome in (Outcome.NONSENSE, Outcome.CANCELLED) else 0
            await self._write(endpoint, outcome, self._door.clock.monotonic() - began, answer, lost)

    async def _write(
        self, endpoint: Endpoint, outcome: Outcome, seconds: float, answer: Completion | None = None, lost: int = 0
    ) -> None:
        sent, received = (answer.input_tokens, answer.output_tokens) if answer is not None else (lost, 0)
        cost = endpoint.cost(sent, received)
        self.tokens = (self.tokens[0] + sent, self.tokens[1] + received)
        self.cost += cost
        await self._door.ledger.add(
            ModelCall(
                at=self._door.clock.now(),
                who=self._who,
                endpoint=endpoint.label,
                model=endpoint.model,
                prompt=self._prompt.names,
                prompt_hash=self._prompt.text_hash,
                input_tokens=sent,
                output_tokens=received,
                cost=cost,
                seconds=seconds,
                outcome=outcome,
            )
        )


def _fitted(
    endpoint: Endpoint,
    messages: Sequence[Message],
    tools: Sequence[ToolSchema],
    schema: ToolSchema | None,
    fit: Fit | None,
) -> tuple[Sequence[Message], Sequence[ToolSchema]]:
    """The request as the endpoint's context takes it. Raises NonsenseAnswerError where it cannot be cut so far."""
    room, offered = endpoint.room_tokens, [schema] if schema is not None else tools
    if not room or most_tokens(messages, offered) <= room:
        return messages, tools
    if fit is not None:
        messages, offered = fit(messages, offered, room)
    if most_tokens(messages, offered) > room:
        raise NonsenseAnswerError("the question does not fit into the model's context, and was not sent")
    return messages, tools if schema is not None else offered


def _counted(answer: Completion, sent: int, endpoint: Endpoint) -> Completion:
    """The answer with its cost, and with tokens estimated where the endpoint does not count them."""
    if not answer.input_tokens and not answer.output_tokens:
        received = _estimate(answer.text, *(call.arguments for call in answer.tool_calls))
        answer = replace(answer, input_tokens=sent, output_tokens=received)
    return replace(answer, cost=endpoint.cost(answer.input_tokens, answer.output_tokens))


def _estimate(*texts: str) -> int:
    return sum(map(len, texts)) // _CHARACTERS_A_TOKEN


def _texts_of(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> Iterator[str]:
    for message in messages:
        yield message.text
        yield from (call.arguments for call in message.tool_calls)
    for tool in tools:
        yield tool.description
        yield str(tool.parameters)
