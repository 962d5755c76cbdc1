"""Every specialist: each folder here that holds a `specialist.yaml`. Read when the agent starts, never at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from libs.config import ConfigError, Problem, SpecialistSettings
from libs.core.catalogue import CATALOGUE
from services.agent.prompts.prompt import PROMPTS, Prompt, PromptError, load_prompt
from services.agent.tools.tool import Tool

LEAD = "lead"
DEFAULT_CALLS = 8
"""Calls that one specialist may ask for in one question beside those that confirm a cause."""

_FOLDER = Path(__file__).parent
_FILE = "specialist.yaml"
_REQUIRED, _OPTIONAL = {"prompt", "tools"}, {"kinds", "reads", "calls", "model", "steps", "tokens"}
DEFAULT_STEPS = 4
"""Turns of a model that a specialist has for one task."""


_VARIABLES = {LEAD: frozenset(("target", "catalogue", "specialists"))}
"""What a specialist's prompt is given when it is used; nothing, where it is not named here."""


class SpecialistError(ValueError):
    """A specialist's folder that cannot be used; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Specialist:
    """A prompt with the tools that it may use, and what is its business.

    `kinds` are the catalogue ids that are delegated to it, `reads` the tools that it then reads of the instance beside
    what the catalogue requires, `calls` how many of these at most. With a model the lead hands it tasks: `model` names
    the endpoint that it prefers among those that the domain allows (empty for the lead's), `steps` its turns for one
    task, and `tokens` what these may cost, 0 for no limit of its own.
    """

    name: str
    prompt: Prompt
    tools: tuple[Tool, ...]
    kinds: frozenset[str] = frozenset()
    reads: tuple[str, ...] = ()
    calls: int = DEFAULT_CALLS
    model: str = ""
    steps: int = DEFAULT_STEPS
    tokens: int = 0

    @property
    def families(self) -> list[str]:
        """The families of its kinds."""
        return sorted({kind.partition(".")[0] for kind in self.kinds})


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
        prompt_for(name, str(settings["prompt"]), prompts),
        tuple(tools[tool] for tool in settings["tools"]),
        _kinds(settings, path),
        _reads(settings, tools, path),
        _number(settings, "calls", path, DEFAULT_CALLS),
        str(settings.get("model", "")),
        _number(settings, "steps", path, DEFAULT_STEPS, least=1),
        _number(settings, "tokens", path, 0),
    )


def prompt_for(name: str, reference: str, folder: Path = PROMPTS, own: Path | None = None) -> Prompt:
    """The prompt `name@version` for a specialist. Raises PromptError, also where it takes what that is not given."""
    prompt, given = load_prompt(reference, folder, own), _VARIABLES.get(name, frozenset())
    if prompt.variables != given:
        takes, gets = (", ".join(sorted(them)) or "no variables" for them in (prompt.variables, given))
        raise PromptError(f"{reference} is no prompt for {name}: it takes {takes}, and is given {gets}")
    return prompt


def load_specialists(
    tools: Mapping[str, Tool], folder: Path = _FOLDER, prompts: Path = PROMPTS
) -> dict[str, Specialist]:
    """Every specialist by name, the lead first. Raises SpecialistError, and PromptError."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{_FILE}"))
    return {name: load_specialist(name, tools, folder, prompts) for name in sorted(names, key=lambda n: n != LEAD)}


def configured(
    specialists: Mapping[str, Specialist],
    settings: Mapping[str, SpecialistSettings],
    tools: Mapping[str, Tool],
    own_prompts: Path | None = None,
) -> dict[str, Specialist]:
    """The specialists as `storex.yaml` wants them, with prompts from a folder of one's own beside those of Storex.

    Raises ConfigError with every name that there is none of.
    """
    problems: list[Problem] = []
    changed = dict(specialists)
    for name, wanted in settings.items():
        unknown = [tool for tool in wanted.tools if tool not in tools]
        if name not in specialists:
            known = f"Known: {', '.join(specialists)}"
            problems.append(wanted.declared.problem(f"there is no specialist {name!r}", known))
        elif unknown:
            problems.append(wanted.declared.problem(f"there is no tool {unknown[0]!r}", "Name tools of the agent"))
        else:
            changed[name] = _changed(specialists[name], wanted, tools, own_prompts, problems)
    if problems:
        raise ConfigError(problems)
    return changed


def _changed(
    one: Specialist,
    wanted: SpecialistSettings,
    tools: Mapping[str, Tool],
    own_prompts: Path | None,
    problems: list[Problem],
) -> Specialist:
    prompt = one.prompt
    if wanted.prompt is not None:
        try:
            prompt = prompt_for(one.name, wanted.prompt, own=own_prompts)
        except PromptError as error:
            problems.append(wanted.declared.problem(str(error), "Name a prompt as name@version"))
    own = tuple(tools[tool] for tool in wanted.tools) or one.tools
    return replace(
        one,
        prompt=prompt,
        tools=own,
        reads=tuple(read for read in one.reads if read in {tool.name for tool in own}),
        model=one.model if wanted.model is None else wanted.model,
        steps=wanted.steps or one.steps,
        tokens=wanted.tokens or one.tokens,
    )


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


def _number(settings: Mapping[str, Any], key: str, path: Path, standard: int, least: int = 0) -> int:
    number = settings.get(key, standard)
    if type(number) is not int or number < least:
        raise SpecialistError(f"{path}: {key} must be a whole number, not below {least}")
    return number
