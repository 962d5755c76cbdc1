"""An object out of what a model wrote, for servers that cannot be held to a schema."""

from __future__ import annotations

import json
import re
from typing import Any

from libs.llm.conversation import NonsenseAnswerError, ToolSchema

_FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)


def object_in(text: str) -> dict[str, Any]:
    """The JSON object that a text is, or holds in a fence, or anywhere. Raises NonsenseAnswerError."""
    for candidate in (text, *_FENCE.findall(text)):
        try:
            value = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    start = text.find("{")
    if start >= 0:
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
    raise NonsenseAnswerError("the answer holds no object of the shape that was asked for")


def instruction(schema: ToolSchema) -> str:
    """Asks in words for what a server cannot be held to."""
    shape = json.dumps(schema.parameters, ensure_ascii=False)
    return f"{schema.description} Answer with one JSON object and nothing else. It must fit this schema:\n{shape}"
