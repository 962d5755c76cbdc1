"""An OpenAI-compatible endpoint that says what it is told to say, over real HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Turn = dict[str, Any] | bytes | Callable[[dict[str, Any]], Any]


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


@dataclass
class ScriptedEndpoint:
    """Answers request after request with the next turn; the last one is repeated."""

    turns: list[Turn] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
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
        turn = self.turns[min(len(self.requests), len(self.turns)) - 1]
        if callable(turn):
            turn = turn(request)
        if asyncio.iscoroutine(turn):
            turn = await turn
        body = turn if isinstance(turn, bytes) else json.dumps(turn).encode()
        head = f"HTTP/1.1 {self.status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()


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
