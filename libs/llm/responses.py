"""The interface `responses`, for models that take tools nowhere else. The server keeps nothing (`store: false`)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from libs.llm.conversation import Completion, Message, NonsenseAnswerError, ToolCallRequest, ToolSchema
from libs.llm.structured import instruction
from libs.llm.wire import BrokenOffError, Habits, Turn, call_request, check_size, completion

_ENDS = frozenset({"response.completed", "response.incomplete"})


class ResponsesDialect:
    """Bodies and answers of `/responses`."""

    def request(self, turn: Turn, model: str, most_tokens: int, habits: Habits) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {
            "model": model,
            "input": [item for message in turn.messages for item in _items(message)],
            "max_output_tokens": most_tokens,
            "store": False,
        }
        if habits.temperature:
            body["temperature"] = 0
        if habits.streams:
            body["stream"] = True
        if turn.tools:
            body["tools"] = [_tool(tool) for tool in turn.tools]
        if turn.schema is not None:
            _ask_for_shape(body, turn.schema, habits.shapes[0])
        return body

    def decode(self, body: object, turn: Turn) -> Completion:
        """A turn out of a whole answer. The server may have sent anything, so every field may be of any type."""
        output = body.get("output") if isinstance(body, dict) else None
        if not isinstance(body, dict) or not isinstance(output, list):
            raise NonsenseAnswerError("the endpoint answered without an output")
        text: list[str] = []
        calls: list[ToolCallRequest] = []
        for item in output:
            if not isinstance(item, dict):
                raise NonsenseAnswerError("the endpoint answered with something that is no item")
            if item.get("type") == "function_call":
                calls.append(call_request(item.get("call_id"), item.get("name"), item.get("arguments"), len(calls)))
            elif item.get("type") == "message":
                text += _texts(item.get("content"))
        found = body.get("usage")
        usage = found if isinstance(found, dict) else {}
        return completion("".join(text), calls, (usage.get("input_tokens"), usage.get("output_tokens")), turn)

    async def collect(self, events: AsyncIterator[dict[str, Any]], turn: Turn) -> Completion:
        """A turn out of a streamed answer; it is left as soon as it is longer than any turn."""
        size = 0
        async for event in events:
            delta = event.get("delta")
            size += len(delta) if isinstance(delta, str) else 0
            check_size(size, 0, turn)
            if event.get("type") in _ENDS:
                return self.decode(event.get("response"), turn)
            if event.get("type") == "response.failed":
                raise BrokenOffError("the server failed while it answered")
        raise BrokenOffError("the stream ended before the answer did")


def _items(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        yield {"type": "function_call_output", "call_id": message.call_id, "output": message.text}
        return
    if message.text or not message.tool_calls:
        yield {"role": message.role, "content": message.text}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}


def _tool(tool: ToolSchema) -> dict[str, Any]:
    named = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", **named, "strict": False}


def _ask_for_shape(body: dict[str, Any], schema: ToolSchema, shape: str) -> None:
    if shape == "schema":
        named = {"name": schema.name, "schema": dict(schema.parameters), "strict": False}
        body["text"] = {"format": {"type": "json_schema", **named}}
    elif shape == "tool":
        body["tools"] = [_tool(schema)]
        body["tool_choice"] = {"type": "function", "name": schema.name}
    else:
        body["input"] = [*body["input"], {"role": "user", "content": instruction(schema)}]


def _texts(content: object) -> list[str]:
    parts = content if isinstance(content, list) else []
    found = (part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "output_text")
    return [text for text in found if isinstance(text, str)]
