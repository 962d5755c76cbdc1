"""Every specialist: each folder here that holds a `specialist.yaml`. Read when the agent starts, never at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from libs.core.catalogue import CATALOGUE
from services.agent.prompts.prompt import PROMPTS, Prompt, load_prompt
from services.agent.tools.tool import Tool

LEAD = "lead"
DEFAULT_CALLS = 8
"""Calls that one specialist may ask for in one question beside those that confirm a cause."""

_FOLDER = Path(__file__).parent
_FILE = "specialist.yaml"
_REQUIRED, _OPTIONAL = {"prompt", "tools"}, {"kinds", "reads", "calls"}


class SpecialistError(ValueError):
    """A specialist's folder that cannot be used; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Specialist:
    """A prompt with the tools that it may use, and what is its business.

    `kinds` are the catalogue ids that are delegated to it, `reads` the tools that it then reads of the instance beside
    what the catalogue requires, `calls` how many of these at most.
    """

    name: str
    prompt: Prompt
    tools: tuple[Tool, ...]
    kinds: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    calls: int = DEFAULT_CALLS


def load_specialist(
    name: str, tools: Mapping[str, Tool], folder: Path = _FOLDER, prompts: Path = PROMPTS
) -> Specialist:
    """Read one specialist's folder. Raises SpecialistError, and PromptError for its prompt."""
    path = folder / name / _FILE
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        raise SpecialistError(f"{path} cannot be read") from None
    if not isinstance(settings, dict) or not _REQUIRED <= set(settings) <= _REQUIRED | _OPTIONAL:
        raise SpecialistError(
            f"{path} must have the keys prompt and tools, may have {', '.join(sorted(_OPTIONAL))}, and no other"
        )
    unknown = [tool for tool in settings["tools"] if tool not in tools]
    if unknown:
        raise SpecialistError(f"{path} names unknown tools: {', '.join(map(str, unknown))}")
    return Specialist(
        name,
        load_prompt(str(settings["prompt"]), prompts),
        tuple(tools[tool] for tool in settings["tools"]),
        _kinds(settings, path),
        _reads(settings, tools, path),
        _calls(settings, path),
    )


def load_specialists(
    tools: Mapping[str, Tool], folder: Path = _FOLDER, prompts: Path = PROMPTS
) -> dict[str, Specialist]:
    """Every specialist by name, the lead first. Raises SpecialistError, and PromptError."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{_FILE}"))
    return {name: load_specialist(name, tools, folder, prompts) for name in sorted(names, key=lambda n: n != LEAD)}


def _kinds(settings: Mapping[str, Any], path: Path) -> frozenset[str]:
    """Catalogue ids, given as ids or as families."""
    kinds: set[str] = set()
    for wanted in settings.get("kinds", []):
        found = {entry.id for entry in CATALOGUE.values() if wanted in (entry.id, entry.family)}
        if not found:
            raise SpecialistError(f"{path} names a kind that the catalogue does not have: {wanted}")
        kinds |= found
    return frozenset(kinds)


def _reads(settings: Mapping[str, Any], tools: Mapping[str, Tool], path: Path) -> tuple[str, ...]:
    """Tools that need nothing but the name of an instance."""
    for wanted in settings.get("reads", []):
        tool = tools.get(wanted)
        if wanted not in settings["tools"] or tool is None:
            raise SpecialistError(f"{path} reads {wanted}, which is not among its tools")
        if [argument.name for argument in tool.arguments if argument.required] != ["name"]:
            raise SpecialistError(f"{path} reads {wanted}, which needs more than a name")
    return tuple(settings.get("reads", []))


def _calls(settings: Mapping[str, Any], path: Path) -> int:
    calls = settings.get("calls", DEFAULT_CALLS)
    if type(calls) is not int or calls < 0:
        raise SpecialistError(f"{path}: calls must be a whole number, not below nought")
    return calls
