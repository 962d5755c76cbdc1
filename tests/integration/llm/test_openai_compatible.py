from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from libs.core.errors import Reason, StorexError
from libs.llm import Completion, Endpoint, Message, NonsenseAnswerError, ToolSchema, open_model
from libs.llm.openai_compatible import MAX_ATTEMPTS
from tests.integration.llm.scripted_server import Reply, calls, endpoint, says

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


@pytest.mark.parametrize("turn", [calls(("get_health", {"name": "x"}), ("get_health", {"name": "y"})), says("a text")])
async def test_a_streamed_answer_is_the_one_that_comes_in_a_piece(turn: dict[str, Any]) -> None:
    async with endpoint(turn) as streaming, endpoint(Reply(json.dumps(turn).encode())) as whole:
        assert await _complete(streaming.base_url) == await _complete(whole.base_url)
    assert streaming.requests[0]["stream"] is True


async def test_a_server_that_cannot_stream_is_asked_without() -> None:
    def picky(request: dict[str, Any]) -> Any:
        if "stream_options" in request:
            return Reply({"error": {"message": "unknown field stream_options"}}, status=400)
        if request.get("stream"):
            return Reply({"error": {"message": "stream is not supported"}}, status=422)
        return says("fine")

    async with endpoint(picky) as scripted:
        assert (await _complete(scripted.base_url)).text == "fine"
    assert len(scripted.requests) == 3


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_server_is_asked_again_when_it_says(status: int) -> None:
    async with endpoint(Reply(status=status, headers={"retry-after": "0.3"}), says("fine")) as scripted:
        began = time.monotonic()
        assert (await _complete(scripted.base_url)).text == "fine"
    assert time.monotonic() - began >= 0.3
    assert len(scripted.requests) == 2


async def test_a_server_that_wants_to_be_left_alone_too_long_is_not_waited_for() -> None:
    async with endpoint(Reply(status=429, headers={"retry-after": "60"})) as scripted, asyncio.timeout(2):
        with pytest.raises(StorexError):
            await _complete(scripted.base_url)
    assert len(scripted.requests) == 1


async def test_what_a_server_refuses_for_good_is_not_asked_again() -> None:
    async with endpoint(Reply(status=401)) as scripted:
        with pytest.raises(StorexError):
            await _complete(scripted.base_url)
    assert len(scripted.requests) == 1


async def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    async with endpoint(Reply(calls(("get_health", {"name": "x"})), cut=True), says("whole")) as scripted:
        assert (await _complete(scripted.base_url)).text == "whole"
    assert len(scripted.requests) == 2


async def test_a_stream_without_an_end_is_not_taken_for_an_answer() -> None:
    chunk = json.dumps({"choices": [{"delta": {"content": "It is"}, "finish_reason": None}]})
    body = Reply(f"data: {chunk}\n\n".encode(), headers={"content-type": "text/event-stream"})
    async with endpoint(body) as scripted:
        with pytest.raises(StorexError) as failure:
            await _complete(scripted.base_url)
    assert failure.value.detail == "BrokenOffError"
    assert len(scripted.requests) == MAX_ATTEMPTS


async def test_an_endless_stream_is_left_early() -> None:
    chunk = json.dumps({"choices": [{"delta": {"content": "round and " * 100}, "finish_reason": None}]})
    body = Reply(f"data: {chunk}\n\n".encode() * 2000, headers={"content-type": "text/event-stream"})
    async with endpoint(body) as scripted:
        with pytest.raises(NonsenseAnswerError):
            await _complete(scripted.base_url)
    assert len(scripted.requests) == 1


_SHAPE = ToolSchema("verdict", "Say the verdict.", {"type": "object", "properties": {"verdict": {"type": "string"}}})
_VERDICT = {"verdict": "healthy"}


def _lacking(*refused: str) -> Any:
    """A server that refuses those fields, and answers as well as the rest allows."""

    def answer(request: dict[str, Any]) -> Any:
        if set(refused) & request.keys():
            return Reply({"error": {"message": "unsupported"}}, status=400)
        if "response_format" in request:
            return says(json.dumps(_VERDICT))
        if "tool_choice" in request:
            return calls(("verdict", _VERDICT))
        return says("Here you are:\n```json\n" + json.dumps(_VERDICT) + "\n```\nAnything else?")

    return answer


@pytest.mark.parametrize(
    ("refused", "attempts"), [((), 1), (("response_format",), 2), (("response_format", "tool_choice"), 3)]
)
async def test_an_object_of_a_shape_is_had_from_any_server(refused: tuple[str, ...], attempts: int) -> None:
    async with endpoint(_lacking(*refused)) as scripted:
        model = open_model(Endpoint("local", scripted.base_url, "small"))
        for _ in range(2):
            answer = await model.complete(_ASK, [_TOOL], timeout_seconds=5, schema=_SHAPE)
            assert answer.data == _VERDICT
        await model.close()
    assert len(scripted.requests) == attempts + 1, "what a server lacks is learnt once"
    assert "get_health" not in json.dumps(scripted.requests)


async def test_words_in_the_place_of_an_object_are_nonsense() -> None:
    async with endpoint(says("all is well")) as scripted:
        model = open_model(Endpoint("local", scripted.base_url, "small"))
        with pytest.raises(NonsenseAnswerError):
            await model.complete(_ASK, [], timeout_seconds=5, schema=_SHAPE)
        await model.close()


async def test_the_interface_responses_says_the_same() -> None:
    async with endpoint(calls(("get_health", {"name": "x"})), says("done"), says(json.dumps(_VERDICT))) as scripted:
        model = open_model(Endpoint("local", scripted.base_url, "small", api="responses"))
        first = await model.complete(_ASK, [_TOOL], timeout_seconds=5)
        asked = Message("assistant", "", tool_calls=first.tool_calls)
        answer = Message("tool", "healthy", call_id=first.tool_calls[0].call_id)
        second = await model.complete([*_ASK, asked, answer], [_TOOL], timeout_seconds=5)
        third = await model.complete(_ASK, [], timeout_seconds=5, schema=_SHAPE)
        await model.close()
    assert [(call.name, call.arguments) for call in first.tool_calls] == [("get_health", '{"name": "x"}')]
    assert (first.input_tokens, first.output_tokens, second.text, third.data) == (100, 10, "done", _VERDICT)
    assert set(scripted.paths) == {"/v1/responses"}
    assert scripted.requests[0]["store"] is False
    assert [item.get("type") for item in scripted.requests[1]["input"]] == [
        None,
        None,
        "function_call",
        "function_call_output",
    ]
