"""Which calls ask the same, and whether steps go round in circles.

All of it is kept here, outside any conversation, so that a model's compacted or restarted conversation forgets nothing.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.agent.inquiry import CallOutcome
from services.agent.tools.tool import Argument, Tool

MAX_VARIANTS = 4
"""Most calls of one tool that differ in nothing but figures (page sizes, minutes) before they count as one."""
_LONGEST_CYCLE = 3
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")
_LETTERS = re.compile(r"[^a-z0-9]")


def settled(tool: Tool, arguments: Mapping[str, object], names: Iterable[str] = ()) -> dict[str, object]:
    """What a call asks, in one spelling: known argument names, plain values, full resource names, defaults filled in.

    `names` are the resources that short names may stand for. Raises ToolArgumentError.
    """
    known = {_LETTERS.sub("", argument.name): argument for argument in tool.arguments}
    plain: dict[str, object] = {}
    for key, value in arguments.items():
        argument = known.get(_LETTERS.sub("", key.lower()))
        if argument is None:
            plain[key] = value
        else:
            plain.setdefault(argument.name, _plain(argument, value, names))
    given = tool.check(plain)
    defaults = inspect.signature(tool.function).parameters
    return {a.name: given.get(a.name, defaults[a.name].default) for a in tool.arguments}


def key_of(tool: str, arguments: Mapping[str, object]) -> str:
    """The same for two calls whose settled arguments are the same."""
    return f"{tool} {as_json(arguments)}"


def as_json(arguments: Mapping[str, object]) -> str:
    """Arguments as one JSON object, whatever order they came in."""
    return json.dumps(dict(arguments), sort_keys=True, ensure_ascii=False, default=str)


@dataclass(slots=True)
class Repetition:
    """What one question has asked so far, by key, and the steps in which it did."""

    _made: dict[str, CallOutcome] = field(default_factory=dict)
    _variants: dict[str, dict[str, None]] = field(default_factory=dict)
    _steps: list[frozenset[str]] = field(default_factory=list)

    def made(self, tool: str, arguments: Mapping[str, object]) -> CallOutcome | None:
        """The outcome of the same call, or of the last that differs from it only in figures, once there are many."""
        key = key_of(tool, arguments)
        if key in self._made:
            return self._made[key]
        variants = list(self._variants.get(_without_figures(tool, arguments), ()))
        return self._made[variants[-1]] if len(variants) >= MAX_VARIANTS else None

    def remember(self, arguments: Mapping[str, object], outcome: CallOutcome) -> None:
        """Keep what a call came to."""
        tool = outcome.request.tool
        key = key_of(tool, arguments)
        self._made[key] = outcome
        self._variants.setdefault(_without_figures(tool, arguments), {})[key] = None

    def step(self, keys: Iterable[str]) -> None:
        """Note what a step asked, new or not."""
        self._steps.append(frozenset(keys))

    @property
    def is_cycle(self) -> bool:
        """Whether the last steps ask the same in turn: A A A, A B A B, or A B C A B C."""
        if len(self._steps) >= 3 and len(set(self._steps[-3:])) == 1:
            return True
        return any(
            len(self._steps) >= 2 * length and self._steps[-length:] == self._steps[-2 * length : -length]
            for length in range(2, _LONGEST_CYCLE + 1)
        )


def _plain(argument: Argument, value: object, names: Iterable[str]) -> object:
    if isinstance(value, str):
        return _plain_text(argument, value.strip(), names)
    if argument.type is int and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _plain_text(argument: Argument, text: str, names: Iterable[str]) -> object:
    if argument.type is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if argument.type in (int, float):
        try:
            return int(text) if argument.type is int else float(text)
        except ValueError:
            return text
    if argument.name == "name":
        return _full_name(text.strip("/").lower(), names)
    return _utc(text) if _MOMENT.fullmatch(text) else text


def _full_name(text: str, names: Iterable[str]) -> str:
    if text.startswith("regions/"):
        return text
    found = {name for name in names if name.rpartition("/")[2] == text.rpartition("/")[2] and not name.endswith("/-")}
    return found.pop() if len(found) == 1 else text


def _utc(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _without_figures(tool: str, arguments: Mapping[str, object]) -> str:
    kept = {key: value for key, value in arguments.items() if isinstance(value, str | bool)}
    return key_of(tool, kept)
