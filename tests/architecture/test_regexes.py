"""Regular expressions keep to what every supported Python reads alike."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# a possessive quantifier or an atomic group, outside of a character class; put together so as not to match itself
SPARED = re.compile(r"(?<!\\)(?:[*+?}]\+|\(\?>)(?![^\[\]]*\])")


def _patterns(path: Path) -> list[str]:
    """Every string that is handed to a function of `re` in the file, joined pieces and f-strings included."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re" and node.args:
                constants = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                found += [constant.value for constant in constants if isinstance(constant.value, str)]
    return found


def test_no_possessive_quantifier() -> None:
    """Python before 3.11.5, Debian 12's among them, can match nothing with them and never come to an end."""
    found = [
        f"{path.relative_to(ROOT)}: {pattern[:60]}"
        for folder in ("libs", "services")
        for path in (ROOT / folder).rglob("*.py")
        for pattern in _patterns(path)
        if SPARED.search(pattern)
    ]
    assert not found
