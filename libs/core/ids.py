"""Identifiers: random, URL-safe, and with a prefix that says what they name."""

from __future__ import annotations

import re
import secrets

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def new_id(prefix: str) -> str:
    """A fresh id such as `req_9f86d081884c7d65`, with 64 random bits."""
    return f"{prefix}_{secrets.token_hex(8)}"


def accept_request_id(offered: str | None) -> str:
    """The caller's own request id where it is well formed, else a fresh one."""
    if offered and _REQUEST_ID.fullmatch(offered):
        return offered
    return new_id("req")
