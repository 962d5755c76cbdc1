"""How many tokens a request is at most, guessed without the model's own tokenizer."""

from __future__ import annotations

import json
from collections.abc import Sequence

from libs.llm.conversation import Message, ToolSchema

_PROSE, _DATA = 3.3, 2.2
"""Bytes a token. English and schemas were measured at 3.6 to 4.7, answers full of digests and figures at 2.4 and more
(Qwen2.5); these are on the safe side."""
_EACH_MESSAGE, _EACH_TOOL, _PREAMBLE = 8, 12, 120
"""Tokens that a chat template puts around a message, a tool, and the whole."""


def most_tokens(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> int:
    """What a request comes to in tokens, rather too many than too few."""
    size = float(_PREAMBLE)
    for message in messages:
        written = [message.text, *(call.name + call.arguments for call in message.tool_calls)]
        density = _PROSE if message.role in ("system", "user") and "<DATA" not in message.text else _DATA
        size += _EACH_MESSAGE + sum(len(text.encode()) for text in written) / density
    for tool in tools:
        schema = json.dumps(dict(tool.parameters), ensure_ascii=False)
        size += _EACH_TOOL + len((tool.name + tool.description + schema).encode()) / _PROSE
    return round(size)
