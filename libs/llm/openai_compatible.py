"""Chat completions at any OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import openai
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

from libs.core.errors import Reason, StorexError
from libs.llm.conversation import Completion, Message, NonsenseAnswerError, ToolCallRequest, ToolSchema
from libs.llm.endpoint import Endpoint

MAX_TOOL_CALLS = 16
"""Most calls taken from one turn, or one for each tool where more are offered: beyond that it is endless, not
thorough."""
MAX_TEXT_LENGTH = 40_000
"""Longest text taken from one turn, in characters."""
_RETRIES = 1
_WITHOUT_KEY = "none"  # the SDK insists on a key; servers that need none ignore it


class OpenAICompatibleModel:
    """Asks an endpoint through chat.completions, not streamed, with one retry inside the time bound."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client = AsyncOpenAI(
            api_key=endpoint.api_key or _WITHOUT_KEY,
            base_url=endpoint.base_url,
            max_retries=_RETRIES,
            timeout=endpoint.timeout_seconds,
        )
        self._limit_parameter = "max_tokens"

    @property
    def label(self) -> str:
        """`{endpoint}/{model}`."""
        return f"{self._endpoint.label}/{self._endpoint.model}"

    async def complete(
        self, messages: Sequence[Message], tools: Sequence[ToolSchema], *, timeout_seconds: float
    ) -> Completion:
        """The model's next turn; see `Model.complete`."""
        bound = min(timeout_seconds, self._endpoint.timeout_seconds)
        request = {
            "model": self._endpoint.model,
            "messages": [_encode_message(message) for message in messages],
            "temperature": 0,
        }
        if tools:
            request["tools"] = [_encode_tool(tool) for tool in tools]
        try:
            async with asyncio.timeout(bound):
                answer = await self._ask(request)
        except TimeoutError:
            raise StorexError(Reason.MODEL_UNAVAILABLE, detail=f"no answer within {bound:.1f} s") from None
        except openai.APIResponseValidationError:
            raise NonsenseAnswerError("the endpoint answered with something that is not a chat completion") from None
        except (openai.OpenAIError, ValueError) as error:
            # ValueError: a body that is not JSON. Its text may quote the conversation, so only the type is kept.
            raise StorexError(Reason.MODEL_UNAVAILABLE, detail=type(error).__name__) from None
        return _decode(answer, max(MAX_TOOL_CALLS, len(tools)))

    async def _ask(self, request: dict[str, object]) -> object:
        limit = {self._limit_parameter: self._endpoint.max_output_tokens}
        create: Any = self._client.chat.completions.create  # its overloads cannot see through a built-up request
        try:
            return await create(**request, **limit)
        except openai.BadRequestError as error:
            # Newer OpenAI models refuse `max_tokens` and name the parameter that they take in its place.
            if self._limit_parameter == "max_tokens" and "max_completion_tokens" in str(error):
                self._limit_parameter = "max_completion_tokens"
                return await self._ask(request)
            raise

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _encode_tool(tool: ToolSchema) -> dict[str, object]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
    }


def _encode_message(message: Message) -> dict[str, object]:
    encoded: dict[str, object] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        encoded["tool_call_id"] = message.call_id
    if message.tool_calls:
        encoded["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return encoded


def _decode(answer: object, most_calls: int) -> Completion:
    """A turn out of what the SDK returned. The SDK does not validate, so every field may be of any type."""
    choices = answer.choices if isinstance(answer, ChatCompletion) else None
    if not isinstance(choices, list) or not choices:
        raise NonsenseAnswerError("the endpoint answered without a choice")
    message = getattr(choices[0], "message", None)
    if message is None:
        raise NonsenseAnswerError("the endpoint answered without a message")
    text = message.content if isinstance(message.content, str) else ""
    calls = message.tool_calls if isinstance(message.tool_calls, list) else []
    if len(text) > MAX_TEXT_LENGTH or len(calls) > most_calls:
        raise NonsenseAnswerError("the answer is far longer than any turn")
    usage = getattr(answer, "usage", None)
    return Completion(
        text=text,
        tool_calls=tuple(_decode_call(call, position) for position, call in enumerate(calls)),
        input_tokens=_count(getattr(usage, "prompt_tokens", 0)),
        output_tokens=_count(getattr(usage, "completion_tokens", 0)),
    )


def _decode_call(call: object, position: int) -> ToolCallRequest:
    function = getattr(call, "function", None)
    name, arguments = getattr(function, "name", None), getattr(function, "arguments", None)
    if not isinstance(name, str) or not isinstance(arguments, str):
        raise NonsenseAnswerError("a tool call has no name or no arguments")
    call_id = getattr(call, "id", None)
    return ToolCallRequest(call_id if isinstance(call_id, str) and call_id else f"call_{position}", name, arguments)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
