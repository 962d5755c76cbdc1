"""Read a prompt and fill in its variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PROMPTS = Path(__file__).parent
"""Where the prompts are."""
_REFERENCE = re.compile(r"(?P<name>[a-z][a-z_]*)@(?P<version>[1-9][0-9]*)", re.ASCII)
_VARIABLE = re.compile(r"\{\{([a-z_]+)\}\}")
_HEADER = "variables:"


class PromptError(ValueError):
    """A prompt that does not exist, or whose declared variables are not those that it uses or is given."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A version of a prompt; `text` holds `{{variable}}` for each of its variables."""

    reference: str
    variables: frozenset[str]
    text: str

    def render(self, **values: str) -> str:
        """The text with its variables filled in, exactly those that it declares. Raises PromptError."""
        if set(values) != self.variables:
            raise PromptError(f"{self.reference} takes {sorted(self.variables)}, not {sorted(values)}")
        return _VARIABLE.sub(lambda match: values[match[1]], self.text)


def load_prompt(reference: str, folder: Path = PROMPTS, own: Path | None = None) -> Prompt:
    """The prompt `name@version`, from `folder` or from one's own, which add versions and never replace one.

    Raises PromptError.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise PromptError(f"{reference!r} does not name a prompt: write name@version")
    path = folder / match["name"] / f"{match['version']}.md"
    added = own / match["name"] / path.name if own is not None else None
    if added is not None and added.is_file():
        if path.is_file():
            raise PromptError(f"{added}: there is a {reference} already; give yours another version")
        path = added
    try:
        header, _, text = path.read_text(encoding="utf-8").partition("\n")
    except OSError:
        raise PromptError(f"there is no prompt {reference}: {path} cannot be read") from None
    if not header.startswith(_HEADER):
        raise PromptError(f"{path}: the first line must be `{_HEADER} name, name`")
    declared = frozenset(filter(None, (part.strip() for part in header.removeprefix(_HEADER).split(","))))
    used = frozenset(_VARIABLE.findall(text))
    if declared != used:
        raise PromptError(f"{path}: declares {sorted(declared)} but uses {sorted(used)}")
    return Prompt(reference, declared, text.strip())
