"""The interface `chat`: chat completions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from libs.llm.conversation import Completion, Message, NonsenseAnswerError, ToolCallRequest, ToolSchema
from libs.llm.structured import instruction
from libs.llm.wire import BrokenOffError, Habits, Turn, call_request, check_size, completion


class ChatDialect:
    """Bodies and answers of `/chat/completions`."""

    def request(self, turn: Turn, model: str, most_tokens: int, habits: Habits) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [_message(message) for message in turn.messages],
            habits.limit_parameter: most_tokens,
        }
        if habits.temperature:
            body["temperature"] = 0
        if habits.reasoning_effort:
            body["reasoning_effort"] = habits.reasoning_effort
        if habits.streams:
            body["stream"] = True
            if habits.stream_options:
                body["stream_options"] = {"include_usage": True}
        if turn.tools:
            body["tools"] = [_tool(tool) for tool in turn.tools]
        if turn.schema is not None:
            _ask_for_shape(body, turn.schema, habits.shapes[0])
        return body

    def decode(self, body: object, turn: Turn) -> Completion:
        """A turn out of a whole answer. The server may have sent anything, so every field may be of any type."""
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(choices, list) or not choices:
            raise NonsenseAnswerError("the endpoint answered without a choice")
        message = choices[0].get("message") if isinstance(choices[0], dict) else None
        if not isinstance(message, dict):
            raise NonsenseAnswerError("the endpoint answered without a message")
        calls = message.get("tool_calls")
        requests = [_call(call, position) for position, call in enumerate(calls if isinstance(calls, list) else [])]
        return completion(message.get("content"), requests, _tokens(body.get("usage")), turn)

    async def collect(self, events: AsyncIterator[dict[str, Any]], turn: Turn) -> Completion:
        """A turn out of a streamed answer; it is left as soon as it is longer than any turn."""
        text, calls, usage, ended, size = [], dict[int, dict[str, str]](), None, False, 0
        async for event in events:
            usage = event.get("usage") or usage
            choices = event.get("choices")
            choice = choices[0] if isinstance(choices, list) and choices else None
            if not isinstance(choice, dict):
                continue
            ended = ended or bool(choice.get("finish_reason"))
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                continue
            said = delta.get("content")
            if isinstance(said, str):
                text.append(said)
                size += len(said)
            size += _add_calls(calls, delta.get("tool_calls"))
            check_size(size, len(calls), turn)
        if not ended:
            raise BrokenOffError("the stream ended before the answer did")
        requests = [
            call_request(call.get("id"), call.get("name"), call.get("arguments", ""), position)
            for position, (_, call) in enumerate(sorted(calls.items()))
        ]
        return completion("".join(text), requests, _tokens(usage), turn)


def _message(message: Message) -> dict[str, Any]:
    encoded: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.role == "tool":
        encoded["tool_call_id"] = message.call_id
    if message.tool_calls:
        encoded["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return encoded


def _tool(tool: ToolSchema) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


def _ask_for_shape(body: dict[str, Any], schema: ToolSchema, shape: str) -> None:
    if shape == "schema":
        named = {"name": schema.name, "schema": dict(schema.parameters)}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    elif shape == "tool":
        body["tools"] = [_tool(schema)]
        body["tool_choice"] = {"type": "function", "function": {"name": schema.name}}
    else:
        body["messages"] = [*body["messages"], {"role": "user", "content": instruction(schema)}]


def _call(call: object, position: int) -> ToolCallRequest:
    found = call if isinstance(call, dict) else {}
    function = found.get("function")
    function = function if isinstance(function, dict) else {}
    return call_request(found.get("id"), function.get("name"), function.get("arguments"), position)


def _add_calls(calls: dict[int, dict[str, str]], deltas: object) -> int:
    """Put pieces of calls together; returns how many characters they brought."""
    size = 0
    for delta in deltas if isinstance(deltas, list) else []:
        if not isinstance(delta, dict):
            continue
        index = delta.get("index")
        call = calls.setdefault(index if isinstance(index, int) else len(calls), {})
        function = delta.get("function")
        pieces = {"id": delta.get("id"), **(function if isinstance(function, dict) else {})}
        for key in ("id", "name", "arguments"):
            piece = pieces.get(key)
            if isinstance(piece, str):
                call[key] = call.get(key, "") + piece if key == "arguments" else call.get(key) or piece
                size += len(piece)
    return size


def _tokens(usage: object) -> tuple[object, object]:
    found = usage if isinstance(usage, dict) else {}
    return found.get("prompt_tokens"), found.get("completion_tokens")
