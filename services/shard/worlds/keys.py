"""The region's key, behind a small interface: it wraps the keys of snapshots, and is never near their content.

The default keeps it in a file. A key management service of a cloud takes its place by another `KeyService`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.ids import new_id
from libs.core.watched import WatchedFile

KEY_BYTES = 32
_NONCE_BYTES = 12
_HEADER = "# Wraps the keys of this region's snapshots: whoever has this file can read them. The first key is in use.\n"


class KeyFileError(ValueError):
    """A key file that cannot be used. The text says what to do and holds no key."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key that only the region's key of this id can unwrap."""

    key_id: str
    content: bytes


class KeyService(Protocol):
    """Wraps and unwraps data keys. `context` names what the key is for: it unwraps for nothing else."""

    @property
    def current(self) -> str:
        """The id of the key that wraps now."""

    def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """Wrap under the current key. Raises StorexError STORE_UNAVAILABLE where the service does not answer."""

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """The data key. Raises StorexError SNAPSHOT_KEY_DESTROYED where the region's key is gone or another one."""


class FileKeys:
    """Keys in a file for its owner alone: a line `ID HEX` each, the one in use first; older ones still unwrap.

    To rotate, put a new line on top: what is kept is wrapped anew the next time the shard looks (see `Worlds`), and the
    old line can go after that. The file is read again when it changes.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Made with a fresh key where there is no file. Raises KeyFileError."""
        _create(path)
        self._keys: WatchedFile[Mapping[str, bytes]] = WatchedFile(path, _read, (KeyFileError,), clock)

    async def watch(self) -> None:
        """Follow the file until cancelled."""
        await self._keys.watch()

    @property
    def current(self) -> str:
        """See KeyService."""
        return next(iter(self._keys()))

    def wrap(self, data_key: bytes, context: bytes) -> WrappedKey:
        """See KeyService."""
        key_id, nonce = self.current, secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._keys()[key_id]).encrypt(nonce, data_key, context)
        return WrappedKey(key_id, nonce + sealed)

    def unwrap(self, wrapped: WrappedKey, context: bytes) -> bytes:
        """See KeyService."""
        key = self._keys().get(wrapped.key_id)
        if key is None:
            raise StorexError(Reason.SNAPSHOT_KEY_DESTROYED, detail="the region's key of that id is gone")
        try:
            return AESGCM(key).decrypt(wrapped.content[:_NONCE_BYTES], wrapped.content[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise StorexError(Reason.SNAPSHOT_KEY_DESTROYED, detail="the region's key does not unwrap it") from None


def new_key_line() -> str:
    """A line with a fresh key, for the top of a key file."""
    return f"{new_id('key')} {secrets.token_hex(KEY_BYTES)}\n"


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_HEADER + new_key_line())
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> Mapping[str, bytes]:
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        raise KeyFileError(f"{path} cannot be read: give it lines `ID HEX`, the key in use first") from None
    keys: dict[str, bytes] = {}
    for line in text.splitlines():
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        try:
            key_id, key = parts[0], bytes.fromhex(parts[1]) if len(parts) == 2 else b""
        except ValueError:
            key_id, key = parts[0], b""
        if len(key) != KEY_BYTES or key_id in keys:
            message = f"{path} holds a line that is not `ID HEX` with {KEY_BYTES} bytes in hex, or an id twice"
            raise KeyFileError(f"{message}: `openssl rand -hex {KEY_BYTES}` makes a key")
        keys[key_id] = key
    if not keys:
        raise KeyFileError(f"{path} holds no key: put back what was there, or every snapshot stays closed")
    return keys
