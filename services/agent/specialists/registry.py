"""Every specialist. A new one is a folder, and its name here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from services.agent.prompts.prompt import PROMPTS, Prompt, load_prompt
from services.agent.tools.tool import Tool

LEAD = "lead"
SPECIALISTS = (LEAD, "database")

_FOLDER = Path(__file__).parent


class SpecialistError(ValueError):
    """A specialist's folder that cannot be used; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Specialist:
    """A prompt with the tools that it may use."""

    name: str
    prompt: Prompt
    tools: tuple[Tool, ...]


def load_specialist(
    name: str, tools: Mapping[str, Tool], folder: Path = _FOLDER, prompts: Path = PROMPTS
) -> Specialist:
    """Read one specialist's folder. Raises SpecialistError, and PromptError for its prompt."""
    path = folder / name / "specialist.yaml"
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        raise SpecialistError(f"{path} cannot be read") from None
    if not isinstance(settings, dict) or set(settings) != {"prompt", "tools"}:
        raise SpecialistError(f"{path} must have the keys prompt and tools, and no other")
    unknown = [tool for tool in settings["tools"] if tool not in tools]
    if unknown:
        raise SpecialistError(f"{path} names unknown tools: {', '.join(map(str, unknown))}")
    prompt = load_prompt(str(settings["prompt"]), prompts)
    return Specialist(name, prompt, tuple(tools[tool] for tool in settings["tools"]))


def load_specialists(tools: Mapping[str, Tool]) -> dict[str, Specialist]:
    """Every specialist by name, the lead first."""
    return {name: load_specialist(name, tools) for name in SPECIALISTS}
