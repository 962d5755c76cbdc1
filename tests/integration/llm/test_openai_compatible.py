from __future__ import annotations

import asyncio
from typing import Any

import pytest

from libs.core.errors import Reason, StorexError
from libs.llm import Completion, Endpoint, Message, NonsenseAnswerError, ToolSchema, open_model
from tests.integration.llm.scripted_server import calls, endpoint, says

_TOOL = ToolSchema("get_health", "Health.", {"type": "object", "properties": {}})
_ASK = [Message("system", "You investigate."), Message("user", "why?")]


async def _complete(base_url: str, timeout_seconds: float = 5.0) -> Completion:
    model = open_model(Endpoint("local", base_url, "small", timeout_seconds=timeout_seconds))
    try:
        return await model.complete(_ASK, [_TOOL], timeout_seconds=timeout_seconds)
    finally:
        await model.close()


async def test_a_turn_comes_back_with_its_tool_calls_and_tokens() -> None:
    async with endpoint(calls(("get_health", {"name": "x"}))) as scripted:
        turn = await _complete(scripted.base_url)
    assert [(call.call_id, call.name, call.arguments) for call in turn.tool_calls] == [
        ("model_call_0", "get_health", '{"name": "x"}')
    ]
    assert (turn.input_tokens, turn.output_tokens) == (100, 10)
    (request,) = scripted.requests
    assert request["model"] == "small"
    assert request["messages"][1] == {"role": "user", "content": "why?"}
    assert request["tools"][0]["function"]["name"] == "get_health"


async def test_the_models_own_calls_and_their_answers_are_sent_back() -> None:
    async with endpoint(calls(("get_health", {})), says("done")) as scripted:
        model = open_model(Endpoint("local", scripted.base_url, "small"))
        first = await model.complete(_ASK, [_TOOL], timeout_seconds=5)
        messages = [
            *_ASK,
            Message("assistant", first.text, tool_calls=first.tool_calls),
            Message("tool", "healthy", call_id=first.tool_calls[0].call_id),
        ]
        assert (await model.complete(messages, [_TOOL], timeout_seconds=5)).text == "done"
        await model.close()
    sent = scripted.requests[1]["messages"]
    assert sent[2]["tool_calls"][0]["id"] == sent[3]["tool_call_id"] == "model_call_0"


@pytest.mark.parametrize(
    "body",
    [
        b'{"choices": []}',
        b'{"choices": [{"index": 0}]}',
        b'{"nothing": "of the sort"}',
        b'["a list"]',
        b'{"choices": [{"message": {"tool_calls": [{"function": {"name": 7, "arguments": null}}]}}]}',
        b'{"choices": [{"message": {"content": "' + b"x" * 50_000 + b'"}}]}',
    ],
)
async def test_nonsense_is_told_apart_from_an_endpoint_that_is_away(body: bytes) -> None:
    async with endpoint(body) as scripted:
        with pytest.raises(NonsenseAnswerError):
            await _complete(scripted.base_url)


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"{}"), (429, b"{}"), (401, b"{}"), (200, b"<html>not json</html>")]
)
async def test_an_endpoint_that_refuses_is_unavailable_and_its_text_is_not_kept(status: int, body: bytes) -> None:
    async with endpoint(body, status=status) as scripted:
        with pytest.raises((StorexError, NonsenseAnswerError)) as failure:
            await _complete(scripted.base_url)
    if isinstance(failure.value, StorexError):
        assert failure.value.reason is Reason.MODEL_UNAVAILABLE
        assert "html" not in failure.value.detail


async def test_nobody_listening_is_unavailable() -> None:
    async with endpoint(says("x")) as scripted:
        base_url = scripted.base_url
    with pytest.raises(StorexError) as failure:
        await _complete(base_url)
    assert failure.value.reason is Reason.MODEL_UNAVAILABLE


async def test_a_slow_endpoint_is_given_up_in_time() -> None:
    async def slowly(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(30)
        return says("late")

    async with endpoint(slowly) as scripted, asyncio.timeout(5):
        with pytest.raises(StorexError) as failure:
            await _complete(scripted.base_url, timeout_seconds=0.3)
    assert failure.value.reason is Reason.MODEL_UNAVAILABLE


async def test_an_endpoint_that_wants_the_newer_limit_gets_it() -> None:
    def picky(request: dict[str, Any]) -> Any:
        if "max_tokens" in request:
            scripted.status = 400
            return b'{"error": {"message": "Unsupported parameter: use max_completion_tokens instead"}}'
        scripted.status = 200
        return says("fine")

    async with endpoint(picky) as scripted:
        assert (await _complete(scripted.base_url)).text == "fine"
    assert "max_completion_tokens" in scripted.requests[-1]


@pytest.mark.parametrize(
    ("offered", "called", "taken"), [(20, 20, True), (20, 21, False), (1, 16, True), (1, 17, False)]
)
async def test_as_many_calls_are_taken_as_there_are_tools(offered: int, called: int, taken: bool) -> None:
    tools = [ToolSchema(f"tool_{number}", "A tool.", _TOOL.parameters) for number in range(offered)]
    async with endpoint(calls(*[("tool_0", {"name": str(number)}) for number in range(called)])) as scripted:
        model = open_model(Endpoint("local", scripted.base_url, "small"))
        try:
            turn = await model.complete(_ASK, tools, timeout_seconds=5)
        except NonsenseAnswerError:
            assert not taken
        else:
            assert taken
            assert len(turn.tool_calls) == called
        await model.close()
