"""Where a model is reached, and the interface that every client of one has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from libs.config import ModelEndpoint
from libs.llm.conversation import Completion, Message, ToolSchema


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint and the model to ask for there; `label` names it in reports.

    `timeout_seconds` bounds one whole turn, retries included; `max_output_tokens` bounds one answer. `api` is `chat` or
    `responses`. Prices are for a million tokens. `context_tokens` is what the model takes, its answer included; 0 where
    nothing needs to be cut.
    """

    label: str
    base_url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0
    max_output_tokens: int = 2048
    api: str = "chat"
    input_price: float = 0.0
    output_price: float = 0.0
    context_tokens: int = 0

    @property
    def room_tokens(self) -> int:
        """What may be sent at most, so that an answer still fits; 0 where nothing needs to be cut."""
        return max(1, self.context_tokens - self.max_output_tokens) if self.context_tokens else 0

    @classmethod
    def of(cls, entry: ModelEndpoint) -> Endpoint:
        """The endpoint of a configuration, with its key as it is now. Raises ConfigError for an unreadable key."""
        return cls(
            label=entry.name,
            base_url=entry.base_url,
            model=entry.model,
            api_key=entry.api_key(),
            timeout_seconds=entry.timeout_seconds,
            api=entry.api,
            input_price=entry.price.input,
            output_price=entry.price.output,
            max_output_tokens=entry.max_output_tokens,
            context_tokens=entry.context_tokens,
        )

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """What so many tokens cost here."""
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6


class Model(Protocol):
    """A model that can be asked for its next turn."""

    @property
    def label(self) -> str:
        """Who it is, as reports name it."""

    async def complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        *,
        timeout_seconds: float,
        schema: ToolSchema | None = None,
    ) -> Completion:
        """The model's next turn, within `timeout_seconds` (or the endpoint's own bound, if smaller).

        With `schema` the turn is one object of that shape (`Completion.data`), and no tool is offered.
        Raises StorexError MODEL_UNAVAILABLE when the endpoint does not answer in time or refuses, and
        NonsenseAnswerError when the answer is not a turn.
        """

    async def close(self) -> None:
        """Close its connections."""
