"""Paging in the style of AIP-158: opaque tokens over an ordered list."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from libs.core.errors import Reason, StorexError

T = TypeVar("T")


def page_of(items: Sequence[T], page_size: int, page_token: str, *, default: int, largest: int) -> tuple[list[T], str]:
    """One page of `items` and the token of the next one (empty on the last).

    Raises StorexError REQUEST_INVALID for a negative size and PAGE_TOKEN_INVALID for a foreign token.
    """
    if page_size < 0:
        raise StorexError(Reason.REQUEST_INVALID, field="page_size", problem="it must not be negative")
    start = _offset(page_token)
    end = start + min(page_size or default, largest)
    return list(items[start:end]), _token(end) if end < len(items) else ""


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"o{offset}".encode()).decode().rstrip("=")


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise StorexError(Reason.PAGE_TOKEN_INVALID) from None
    if not (text.startswith("o") and text[1:].isascii() and text[1:].isdigit() and len(text) < 12):
        raise StorexError(Reason.PAGE_TOKEN_INVALID)
    return int(text[1:])
