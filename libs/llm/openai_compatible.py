"""A model at any OpenAI-compatible endpoint, through chat completions or responses, streamed where the server can."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx2  # the SDK's own transport, whose errors it passes on while a stream is read
import openai
from openai import AsyncOpenAI

from libs.core.errors import Reason, StorexError
from libs.llm.chat import ChatDialect
from libs.llm.conversation import Completion, Message, NonsenseAnswerError, ToolSchema
from libs.llm.endpoint import Endpoint
from libs.llm.responses import ResponsesDialect
from libs.llm.structured import object_in
from libs.llm.wire import MAX_BODY_BYTES, BrokenOffError, Dialect, Habits, Turn, events_of

MAX_ATTEMPTS = 4
"""Most times that one turn is asked for where the server is busy, fails, or breaks off."""
_FIRST_WAIT_SECONDS = 0.25
_CHANCE = random.SystemRandom()
_BUSY = (408, 409, 429)
_REFUSALS = (400, 422)
_WITHOUT_KEY = "none"  # the SDK insists on a key; servers that need none ignore it


class OpenAICompatibleModel:
    """Asks an endpoint; waits and asks again as long as that helps within the time bound."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._client = AsyncOpenAI(
            api_key=endpoint.api_key or _WITHOUT_KEY,
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=endpoint.timeout_seconds,
        )
        responses = endpoint.api == "responses"
        self._dialect: Dialect = ResponsesDialect() if responses else ChatDialect()
        interface: Any = self._client.responses if responses else self._client.chat.completions
        self._create: Any = interface.with_streaming_response.create
        self._habits = Habits()

    @property
    def label(self) -> str:
        """`{endpoint}/{model}`."""
        return f"{self._endpoint.label}/{self._endpoint.model}"

    async def complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSchema],
        *,
        timeout_seconds: float,
        schema: ToolSchema | None = None,
    ) -> Completion:
        """The model's next turn; see `Model.complete`."""
        bound = min(timeout_seconds, self._endpoint.timeout_seconds)
        turn = Turn(tuple(messages), () if schema is not None else tuple(tools), schema)
        try:
            async with asyncio.timeout(bound):
                answer = await self._patiently(turn, time.monotonic() + bound)
        except TimeoutError:
            raise StorexError(Reason.MODEL_UNAVAILABLE, detail=f"no answer within {bound:.1f} s") from None
        except (openai.OpenAIError, httpx2.HTTPError, BrokenOffError, ValueError) as error:
            # ValueError: a body that is not JSON. Texts may quote the conversation, so only the type is kept.
            raise StorexError(Reason.MODEL_UNAVAILABLE, detail=type(error).__name__) from None
        return answer if schema is None else _with_object(answer)

    async def _patiently(self, turn: Turn, deadline: float) -> Completion:
        attempt = 1
        while True:
            try:
                return await self._once(turn)
            except openai.APIStatusError as error:
                if error.status_code in _REFUSALS:
                    if self._habits.learn(str(error), turn):
                        continue
                    raise
                if error.status_code not in _BUSY and error.status_code < 500:
                    raise
                wait = _wanted_wait(error) or _back_off(attempt)
                failure: Exception = error
            except (openai.APIConnectionError, httpx2.HTTPError, BrokenOffError) as error:
                wait, failure = _back_off(attempt), error
            attempt += 1
            if attempt > MAX_ATTEMPTS or time.monotonic() + wait >= deadline:
                raise failure
            await asyncio.sleep(wait)

    async def _once(self, turn: Turn) -> Completion:
        body = self._dialect.request(turn, self._endpoint.model, self._endpoint.max_output_tokens, self._habits)
        async with self._create(**body) as response:
            if "text/event-stream" in response.headers.get("content-type", ""):
                return await self._dialect.collect(events_of(response.iter_lines()), turn)
            received = bytearray()
            async for chunk in response.iter_bytes():
                received += chunk
                if len(received) > MAX_BODY_BYTES:
                    raise NonsenseAnswerError("the answer is far longer than any turn")
            return self._dialect.decode(json.loads(received), turn)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()


def _with_object(answer: Completion) -> Completion:
    text = answer.tool_calls[0].arguments if answer.tool_calls else answer.text
    return replace(answer, text=text, tool_calls=(), data=object_in(text))


def _wanted_wait(error: openai.APIStatusError) -> float:
    """How long the server asks to be left alone, in seconds; 0 where it does not say so in a number."""
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return 0.0


def _back_off(attempt: int) -> float:
    """Twice as long each time, and never in step with others."""
    return _FIRST_WAIT_SECONDS * float(2 ** (attempt - 1)) * _CHANCE.uniform(0.5, 1.0)
