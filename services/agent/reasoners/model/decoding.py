"""JSON that a model wrote, as values that can be used: whatever is no text, no JSON or no end of nesting is refused."""

from __future__ import annotations

import json
from typing import Any


def decoded(text: str) -> Any:
    """The value. Raises ValueError where it is no JSON, or is nested beyond reason."""
    try:
        return _as_text(json.loads(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def json_object(text: str) -> dict[str, object] | None:
    """The object that it is, empty for an empty text; None where it is none."""
    try:
        value = decoded(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _as_text(value: Any) -> Any:
    """With half a surrogate pair, which is no text and can be sent to nobody, replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_as_text(member) for member in value]
    if isinstance(value, dict):
        return {_as_text(key): _as_text(member) for key, member in value.items()}
    return value
