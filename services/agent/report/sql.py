"""Names and values as they may stand in a proposed command: quoted, or not at all."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"prn_[0-9a-f]{12}", re.ASCII)
_PLAIN_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


def quoted_identifier(name: str) -> str | None:
    """A (possibly qualified) name in backticks, or None when it cannot be quoted safely."""
    parts = name.split(".")
    if not name.isprintable() or not all(parts) or len(parts) > 2:
        return None
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


def quoted_string(value: str) -> str | None:
    """A string literal, or None when it cannot be written safely: unprintable, or ambiguous under NO_BACKSLASH_ESCAPES.

    A token that stands for a principal is not a value that the database knows, so it gives None too.
    """
    if not value or not value.isprintable() or "\\" in value or is_token(value):
        return None
    return "'" + value.replace("'", "''") + "'"


def connection_number(value: str) -> str | None:
    """A connection id as KILL takes it, or None when it is no such number."""
    return value if _PLAIN_ID.fullmatch(value) else None


def is_token(value: str) -> bool:
    """Whether a value is a token in place of a principal that this reader may not see."""
    return _TOKEN.fullmatch(value) is not None
