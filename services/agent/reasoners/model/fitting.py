"""A request cut to what a small model takes: schemas without their explanations, then answers, the oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from libs.llm import Message, ToolSchema
from libs.llm.size import most_tokens

SMALL_ROOM = 16_000
"""Tokens below which schemas are brief from the start: what a small model reads, it reads slowly and forgets."""
_TOOLS_SHARE = 0.4
"""Most of the room that tools may take; those at the end of the list are left out beyond it."""
_SHORTEST = 240
"""Characters of an answer that always stay, so that it still says what it is."""
_NEWEST = 2
_CUT, _CLOSING = " ... cut here", "\n</DATA "


def fitted(
    messages: Sequence[Message], tools: Sequence[ToolSchema], room: int
) -> tuple[list[Message], list[ToolSchema]]:
    """The request within `room` tokens by `most_tokens`, as far as that can be had without cutting the prompt."""
    offered = offered_within(tools, room)
    kept = list(messages)
    for place in _cuttable(kept)[:-_NEWEST]:
        if most_tokens(kept, offered) <= room:
            break
        kept[place] = shortened(kept[place], _SHORTEST)
    while most_tokens(kept, offered) > room:
        places = [place for place in _cuttable(kept) if len(kept[place].text) > _SHORTEST + len(_CUT) + 60]
        if not places:
            break
        longest = max(places, key=lambda place: len(kept[place].text))
        kept[longest] = shortened(kept[longest], max(_SHORTEST, len(kept[longest].text) // 2))
    return kept, offered


def offered_within(tools: Sequence[ToolSchema], room: int) -> list[ToolSchema]:
    """The first of the tools, in brief, as many as may be offered in so many tokens."""
    offered = [brief(tool) for tool in tools]
    while len(offered) > 1 and most_tokens((), offered) > room * _TOOLS_SHARE:
        offered = offered[:-1]
    return offered


def is_small(room: int) -> bool:
    """Whether so much room is little; 0 is as much as there is."""
    return 0 < room < SMALL_ROOM


def brief(tool: ToolSchema) -> ToolSchema:
    """The schema with the first sentence of its description, and no explanation of its arguments."""
    return ToolSchema(tool.name, f"{tool.description.partition('. ')[0].rstrip('.')}.", _bare(tool.parameters))


def shortened(message: Message, characters: int) -> Message:
    """The message with so much of its text; a fence around it stays closed."""
    if len(message.text) <= characters:
        return message
    body, closing, mark = message.text.rpartition(_CLOSING)
    if not closing:
        return replace(message, text=message.text[:characters] + _CUT)
    return replace(message, text=body[:characters] + _CUT + closing + mark)


def _bare(schema: Any) -> Any:
    if isinstance(schema, dict):
        # A description that is text explains; one that is a schema is an argument of that name.
        return {
            key: _bare(value)
            for key, value in schema.items()
            if key != "additionalProperties" and not (key == "description" and isinstance(value, str))
        }
    return [_bare(value) for value in schema] if isinstance(schema, list) else schema


def _cuttable(messages: Sequence[Message]) -> list[int]:
    """Places of all but the prompt and the model's own calls, the oldest first."""
    return [place for place, message in enumerate(messages) if message.role != "system" and not message.tool_calls]
