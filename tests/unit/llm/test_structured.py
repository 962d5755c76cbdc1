from __future__ import annotations

import pytest

from libs.llm import NonsenseAnswerError
from libs.llm.structured import object_in


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": 1}}',
        'Sure!\n```json\n{"a": {"b": 1}}\n```\nBye.',
        'It is {"a": {"b": 1}} I think. {"c": 2}',
        '```\n{"a": {"b": 1}}\n```',
    ],
)
def test_an_object_is_found_wherever_it_is(text: str) -> None:
    assert object_in(text) == {"a": {"b": 1}}


@pytest.mark.parametrize("text", ["", "none", "[1]", "7", '{"a": ', "```json\n[]\n```"])
def test_where_there_is_none_it_is_nonsense(text: str) -> None:
    with pytest.raises(NonsenseAnswerError):
        object_in(text)
