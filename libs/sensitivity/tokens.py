"""Tokens that stand for principals: the same value has the same token in every answer of a region, and in no other.

A token is `prn_` and twelve hex digits of an HMAC-SHA-256 under a key of the region. It cannot be turned back, and
without the key nobody can try out names against it. Keys are rotated by putting a new one first: tokens change from
then on, and those made under the older keys in the file can still be matched with a name by who holds the file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

from libs.core.clock import Clock
from libs.core.watched import WatchedFile

TOKEN = re.compile(r"prn_[0-9a-f]{12}")
"""What a token looks like."""

Keys = Sequence[bytes]
"""Keys of one region, the current one first."""

_MIN_KEY_BYTES = 16
_CACHED = 4096


class TokenKeyError(ValueError):
    """A key file that cannot be used. The text says what to do and holds no key."""


class Tokeniser:
    """Makes the tokens of one region. `keys` is asked each time, so that a rotation takes effect at once."""

    def __init__(self, region: str, keys: Callable[[], Keys]) -> None:
        self._region = region.encode()
        self._keys = keys
        self._current = b""
        self._made: OrderedDict[str, str] = OrderedDict()

    def __call__(self, value: str) -> str:
        """The token of `value` under the current key."""
        current = self._keys()[0]
        if current != self._current:
            self._current = current
            self._made.clear()
        token = self._made.get(value)
        if token is None:
            token = self._made[value] = self._token(current, value)
            if len(self._made) > _CACHED:
                self._made.popitem(last=False)
        return token

    def matches(self, token: str, value: str) -> bool:
        """Whether `token` stands for `value` under the current key or an older one that is still in the file."""
        return any(hmac.compare_digest(self._token(key, value).encode(), token.encode()) for key in self._keys())

    def _token(self, key: bytes, value: str) -> str:
        # The region takes part, so that a key that was copied to a second region does not join the two.
        regional = hmac.digest(key, self._region, hashlib.sha256)
        return "prn_" + hmac.digest(regional, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:12]


def open_keys(path: Path, clock: Clock | None = None) -> Callable[[], Keys]:
    """The keys in the file at `path`, which is made with a fresh key, for its owner alone, where there is none.

    One key a line in hex, the current one first; `#` begins a comment. The file is read again when it changes; a change
    that cannot be used is logged, and the keys before it stay in force. Raises TokenKeyError for a file that cannot be
    used to begin with.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        pass
    else:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(32)}\n")
    return WatchedFile(path, _read, (TokenKeyError,), clock)


def _read(path: Path) -> Keys:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise TokenKeyError(f"{path} cannot be read: give it keys in hex, one a line, the current one first") from None
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    try:
        keys = [bytes.fromhex(line) for line in lines if line]
    except ValueError:
        raise TokenKeyError(f"{path} holds a line that is not hex: `openssl rand -hex 32` makes a key") from None
    if not keys or min(map(len, keys)) < _MIN_KEY_BYTES:
        raise TokenKeyError(f"{path} needs keys of {_MIN_KEY_BYTES} bytes or more: `openssl rand -hex 32` makes one")
    return keys
