"""An OpenAI-compatible endpoint that says what it is told to say, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """An answer with a status and headers of its own. Cut means that the connection ends half way through."""

    body: dict[str, Any] | bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Turn = dict[str, Any] | bytes | Reply | Callable[[dict[str, Any]], Any]


def says(text: str) -> dict[str, Any]:
    return _completion({"role": "assistant", "content": text})


def calls(*requests: tuple[str, object]) -> dict[str, Any]:
    """A turn that calls tools; arguments that are text are sent as they are, well formed or not."""
    encoded = [
        {
            "id": f"model_call_{position}",
            "type": "function",
            "function": {"name": name, "arguments": args if isinstance(args, str) else json.dumps(args)},
        }
        for position, (name, args) in enumerate(requests)
    ]
    return _completion({"role": "assistant", "content": None, "tool_calls": encoded})


def _completion(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


def _encoded(reply: Reply, request: dict[str, Any], path: str) -> tuple[str, bytes]:
    """The content type and body: a completion as the request wants it, anything else as it is."""
    if isinstance(reply.body, bytes):
        return "application/json", reply.body
    body = reply.body
    if "choices" in body and path.endswith("/responses"):
        body = _as_response(body)
    if not request.get("stream") or reply.status != 200 or not ({"choices", "output"} & body.keys()):
        return "application/json", json.dumps(body).encode()
    events: list[dict[str, Any]] = [{"type": "response.completed", "response": body}]
    if "choices" in body:
        events = _chunks(body)
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "text/event-stream", "".join([*lines, "data: [DONE]\n\n"]).encode()


def _chunks(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks of a streamed chat completion: text and arguments in pieces, usage last of all."""
    message = body["choices"][0].get("message", {})
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    text = message.get("content") or ""
    deltas += [{"content": text[place : place + 7]} for place in range(0, len(text), 7)]
    for index, call in enumerate(message.get("tool_calls") or []):
        named: dict[str, Any] = {"name": call["function"]["name"], "arguments": ""}
        opened: dict[str, Any] = {"index": index, "id": call["id"], "type": "function", "function": named}
        deltas.append({"tool_calls": [opened]})
        arguments = call["function"]["arguments"]
        pieces = [arguments[place : place + 9] for place in range(0, len(arguments), 9)]
        for piece in pieces:
            more: dict[str, Any] = {"index": index, "function": {"arguments": piece}}
            deltas.append({"tool_calls": [more]})
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return [*chunks, {"choices": [], "usage": body.get("usage")}]


def _as_response(body: dict[str, Any]) -> dict[str, Any]:
    """A chat completion as the interface `responses` would say it."""
    message = body["choices"][0]["message"]
    output: list[dict[str, Any]] = []
    if message.get("content"):
        output.append({"type": "message", "content": [{"type": "output_text", "text": message["content"]}]})
    output += [
        {"type": "function_call", "call_id": call["id"], **call["function"]} for call in message.get("tool_calls") or []
    ]
    usage = {"input_tokens": body["usage"]["prompt_tokens"], "output_tokens": body["usage"]["completion_tokens"]}
    return {"output": output, "status": "completed", "usage": usage}


@dataclass
class ScriptedEndpoint:
    """Answers request after request with the next turn; the last one is repeated."""

    turns: list[Turn] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 200
    port: int = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def prompts(self) -> str:
        """Every byte that was sent here, as one text."""
        return json.dumps(self.requests, ensure_ascii=False)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        request = json.loads(await reader.readexactly(length))
        self.requests.append(request)
        self.paths.append(head.split(" ", 2)[1])
        turn = self.turns[min(len(self.requests), len(self.turns)) - 1]
        if callable(turn):
            turn = turn(request)
        if asyncio.iscoroutine(turn):
            turn = await turn
        reply = turn if isinstance(turn, Reply) else Reply(turn, self.status)
        kind, body = _encoded(reply, request, self.paths[-1])
        headers = {"content-type": kind, "content-length": str(len(body)), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join(lines) + "\r\n\r\n"
        writer.write(head.encode() + (body[: len(body) // 2] if reply.cut else body))
        await writer.drain()
        if reply.cut:
            raise ConnectionError


@asynccontextmanager
async def endpoint(*turns: Turn, status: int = 200) -> AsyncIterator[ScriptedEndpoint]:
    scripted = ScriptedEndpoint(list(turns), status=status)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await scripted.handle(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    scripted.port = server.sockets[0].getsockname()[1]
    try:
        yield scripted
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
