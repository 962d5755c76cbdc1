"""What the two interfaces have in common: a request for a turn, what a server refused of it, and streamed events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from libs.llm.conversation import Completion, Message, NonsenseAnswerError, ToolCallRequest, ToolSchema

MAX_TOOL_CALLS = 16
"""Most calls taken from one turn, or one for each tool where more are offered: beyond that it is endless, not
thorough."""
MAX_TEXT_LENGTH = 40_000
"""Longest text, and longest arguments, taken from one turn, in characters."""
MAX_BODY_BYTES = 4_000_000
"""Longest answer that is read at all, with everything that streaming adds."""


class BrokenOffError(Exception):
    """A stream that ended before its answer did, or that said that the server failed."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a model is asked for: its next turn, or one object of the shape of `schema`."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...]
    schema: ToolSchema | None = None

    @property
    def most_calls(self) -> int:
        """Most calls that are taken from the answer."""
        return max(MAX_TOOL_CALLS, len(self.tools))


@dataclass(slots=True)
class Habits:
    """What a server has been found to want or to refuse; learnt from its 400s and kept while the client lives."""

    limit_parameter: str = "max_tokens"
    streams: bool = True
    stream_options: bool = True
    temperature: bool = True
    reasoning_effort: str = ""
    shapes: list[str] = field(default_factory=lambda: ["schema", "tool", "words"])
    """How an object of a shape is asked for, the best that is left first."""

    def learn(self, refusal: str, turn: Turn) -> bool:
        """Take a refusal into account; False when nothing is left to change. `refusal` is the server's text."""
        if "max_completion_tokens" in refusal and self.limit_parameter == "max_tokens":
            self.limit_parameter = "max_completion_tokens"
        elif "reasoning_effort" in refusal and not self.reasoning_effort:
            self.reasoning_effort = "none"
        elif "temperature" in refusal and self.temperature:
            self.temperature = False
        elif "stream_options" in refusal and self.stream_options:
            self.stream_options = False
        elif turn.schema is not None and len(self.shapes) > 1:
            del self.shapes[0]
        elif "stream" in refusal and self.streams:
            self.streams = False
        else:
            return False
        return True


class Dialect(Protocol):
    """One of the interfaces of an OpenAI-compatible server."""

    def request(self, turn: Turn, model: str, most_tokens: int, habits: Habits) -> dict[str, Any]:
        """The body of a request."""

    def decode(self, body: object, turn: Turn) -> Completion:
        """A turn out of a whole answer. Raises NonsenseAnswerError."""

    async def collect(self, events: AsyncIterator[dict[str, Any]], turn: Turn) -> Completion:
        """A turn out of a streamed answer. Raises NonsenseAnswerError and BrokenOffError."""


async def events_of(lines: AsyncIterator[str]) -> AsyncIterator[dict[str, Any]]:
    """The JSON of each server-sent event; a stream is bounded, whatever is in it."""
    size = 0
    async for line in lines:
        size += len(line)
        if size > MAX_BODY_BYTES:
            raise NonsenseAnswerError("the answer is far longer than any turn")
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError:
            raise BrokenOffError("an event that is not JSON") from None
        if not isinstance(event, dict):
            raise NonsenseAnswerError("the endpoint streamed something that is no event")
        if event.get("error"):
            raise BrokenOffError("the server failed while it answered")
        yield event


def completion(text: object, calls: Sequence[ToolCallRequest], tokens: tuple[object, object], turn: Turn) -> Completion:
    """A turn within the bounds. Raises NonsenseAnswerError."""
    said = text if isinstance(text, str) else ""
    check_size(len(said), len(calls), turn)
    if any(len(call.arguments) > MAX_TEXT_LENGTH for call in calls):
        raise NonsenseAnswerError("the arguments of a call are far longer than any")
    sent, received = (value if isinstance(value, int) and value >= 0 else 0 for value in tokens)
    return Completion(said, tuple(calls), sent, received)


def check_size(characters: int, calls: int, turn: Turn) -> None:
    """Raises NonsenseAnswerError for more than any turn holds."""
    if characters > MAX_TEXT_LENGTH or calls > turn.most_calls:
        raise NonsenseAnswerError("the answer is far longer than any turn")


def call_request(call_id: object, name: object, arguments: object, position: int) -> ToolCallRequest:
    """A call as a model asked for it. Raises NonsenseAnswerError where there is no name or no arguments."""
    if not isinstance(name, str) or not name or not isinstance(arguments, str):
        raise NonsenseAnswerError("a tool call has no name or no arguments")
    return ToolCallRequest(call_id if isinstance(call_id, str) and call_id else f"call_{position}", name, arguments)
