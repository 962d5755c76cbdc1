"""What is said to a model and what it says back, free of any vendor's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


class NonsenseAnswerError(Exception):
    """A model answered with something that cannot be used; `problem` says what, without quoting it."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class BudgetSpentError(Exception):
    """A person's or a team's budget of the day does not allow the call; `problem` says whose and how much (PUBLIC)."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


class OutgoingRefusedError(Exception):
    """A message held something that looks like customer data, of that `kind`; nothing was sent."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(kind)


@dataclass(frozen=True, slots=True)
class ToolCallRequest:
    """A call that a model asks for; `arguments` is the JSON text as the model wrote it, not yet checked."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `call_id` is set on a tool's answer, `tool_calls` on the model's own requests."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    call_id: str = ""
    tool_calls: tuple[ToolCallRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolSchema:
    """A tool as a model sees it; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's turn, with the tokens that it cost as the endpoint counts them (0 where it does not).

    `data` is the object that was asked for by a schema; None where none was. `cost` is in the price table's currency.
    """

    text: str
    tool_calls: tuple[ToolCallRequest, ...]
    input_tokens: int
    output_tokens: int
    data: Mapping[str, object] | None = None
    cost: float = 0.0
