"""The public keys that tokens are checked against: from a file, or fetched over https."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import jwt

ALGORITHMS = ("EdDSA", "ES256", "RS256")
"""Signature algorithms that are accepted; symmetric ones and `none` never are."""

_FETCH_TIMEOUT_SECONDS = 5.0
_MAX_DOCUMENT_BYTES = 1 << 20
_MIN_RSA_BITS = 2048


class KeySource(Protocol):
    """A place that a key set is read from; both methods block and are called off the event loop."""

    refresh_seconds: float
    """How long a key set may be used before it is looked at again."""

    def load(self) -> bytes | None:
        """The key set document, or None when it is unchanged. Raises OSError."""


class FileKeySource:
    """A JWKS file, reread when it changes."""

    refresh_seconds = 1.0

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None

    def load(self) -> bytes | None:
        """The file's bytes, or None when it is the same file as before. Raises OSError."""
        status = self._path.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp:
            return None
        document = self._path.read_bytes()
        self._stamp = stamp
        return document


class HttpsKeySource:
    """A JWKS endpoint of an OpenID Connect issuer."""

    refresh_seconds = 300.0

    def __init__(self, url: str) -> None:
        if not url.startswith("https://"):
            raise ValueError("The key set's address must start with https://")
        self._url = url

    def load(self) -> bytes | None:
        """The document. Raises OSError when it cannot be fetched or is too large."""
        with urllib.request.urlopen(self._url, timeout=_FETCH_TIMEOUT_SECONDS) as response:  # noqa: S310 - https only
            document: bytes = response.read(_MAX_DOCUMENT_BYTES + 1)
        if len(document) > _MAX_DOCUMENT_BYTES:
            raise OSError("the key set is too large")
        return document


def parse_key_set(document: bytes) -> Mapping[str, jwt.PyJWK]:
    """Signing keys by key id; keys that are not for one of ALGORITHMS are left out.

    Raises ValueError for what is not a key set.
    """
    try:
        entries = json.loads(document)["keys"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("not a JSON web key set") from error
    if not isinstance(entries, list):
        raise ValueError("not a JSON web key set")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries:
        key = _signing_key(entry)
        if key is not None:
            keys.setdefault(str(entry.get("kid", "")), key)
    return keys


def _signing_key(entry: object) -> jwt.PyJWK | None:
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    try:
        key = jwt.PyJWK.from_dict(entry)
    except (jwt.PyJWTError, ValueError, KeyError, TypeError):
        return None
    weak = entry.get("kty") == "RSA" and key.key.key_size < _MIN_RSA_BITS
    return key if key.algorithm_name in ALGORITHMS and not weak else None
