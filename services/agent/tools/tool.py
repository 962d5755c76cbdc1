"""A function as a tool: its schema from the signature and docstring, its arguments checked before it runs."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from libs.llm import ToolSchema
from services.agent.reach import Reach

ToolFunction = Callable[..., Awaitable[Message | Sequence[Message]]]

_ARGUMENT_LINE = re.compile(r"^(?P<name>[a-z_]+): (?P<text>.+)$")
_JSON_TYPES: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_MAX_TEXT = 256


class ToolArgumentError(Exception):
    """Arguments that do not fit the schema; the text says which and why, for the model to mend."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter of a tool: its Python type, what it means, and whether it may be left out."""

    name: str
    type: object
    text: str
    required: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """A function with what a model and the loop need to know of it."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    function: ToolFunction

    @property
    def schema(self) -> ToolSchema:
        """The tool as a model sees it."""
        properties = {argument.name: _json_schema(argument) for argument in self.arguments}
        required = [argument.name for argument in self.arguments if argument.required]
        parameters = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        return ToolSchema(self.name, self.description, parameters)

    def check(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """The arguments, if they fit. Raises ToolArgumentError."""
        known = {argument.name: argument for argument in self.arguments}
        for name in arguments:
            if name not in known:
                raise ToolArgumentError(f"{self.name} takes no argument of that name; it takes {', '.join(known)}")
        for argument in self.arguments:
            if argument.required and argument.name not in arguments:
                raise ToolArgumentError(f"{self.name} needs the argument {argument.name}")
        return {name: _checked(known[name], value) for name, value in arguments.items()}

    async def run(self, reach: Reach, arguments: Mapping[str, object]) -> list[Message]:
        """Call the function with checked arguments; always a list. Raises StorexError."""
        answer = await self.function(reach, **arguments)
        return [answer] if isinstance(answer, Message) else list(answer)


def tool_from(function: ToolFunction) -> Tool:
    """The tool that a function is. Raises ValueError for one that lacks a docstring, types, or a line an argument."""
    name = function.__name__
    types = typing.get_type_hints(function)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    text, described = _split_docstring(inspect.getdoc(function) or "")
    if not text or {parameter.name for parameter in parameters} != set(described):
        raise ValueError(f"the tool {name} needs a docstring with a line for each of its arguments, and for no other")
    arguments = tuple(
        Argument(p.name, types.get(p.name), described[p.name], p.default is inspect.Parameter.empty) for p in parameters
    )
    unknown = [argument.name for argument in arguments if argument.type not in _JSON_TYPES]
    if unknown:
        raise ValueError(f"the tool {name} has arguments that are not str, int, float or bool: {', '.join(unknown)}")
    return Tool(name, text, arguments, function)


def _split_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """The description, and the argument lines (`name: text`) that stand after the last blank line."""
    body, _, tail = docstring.rpartition("\n\n")
    matches = [_ARGUMENT_LINE.match(line) for line in tail.splitlines()]
    if not body or not all(matches):
        return docstring, {}
    return body, {match["name"]: match["text"] for match in matches if match is not None}


def _json_schema(argument: Argument) -> dict[str, object]:
    return {"type": _JSON_TYPES[argument.type], "description": argument.text}


def _checked(argument: Argument, value: object) -> object:
    wanted = argument.type
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(wanted, type) or type(value) is not wanted:
        raise ToolArgumentError(f"the argument {argument.name} must be of type {_JSON_TYPES[wanted]}")
    if isinstance(value, str) and len(value) > _MAX_TEXT:
        raise ToolArgumentError(f"the argument {argument.name} is longer than {_MAX_TEXT} characters")
    return value
