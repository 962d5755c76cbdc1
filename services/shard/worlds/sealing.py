"""A snapshot at rest: a header that anybody may read and nobody may change, and the content under a key of its own.

`MAGIC`, the header's length, the header as JSON, a nonce, and the content in AES-256-GCM with the header as associated
data. A plain file has the content as it is, and only regions whose data is made up write or read any.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName, parse_name
from storex.snapshot.v1 import snapshot_pb2

Trigger: TypeAlias = "snapshot_pb2.SnapshotTrigger.ValueType"
MAGIC = b"STOREXW1"
_LENGTH = struct.Struct("<I")
_NONCE_BYTES = 12
_LONGEST_HEADER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a snapshot without its key: PUBLIC values only. Times are seconds since the epoch."""

    name: str
    captured_at: float
    took_seconds: float
    trigger: Trigger
    engine: str
    version: str
    instances: tuple[str, ...]
    limits: tuple[Mapping[str, str], ...]
    history_start: float | None
    sha256: str
    format_version: int
    plain: bool = False
    taken_in_at: float | None = None
    """When a copy of made-up data was taken in; None for every other one."""
    origin: str = ""
    """The snapshot whose sealed copy it was taken in from, and with which it ends; empty for every other one."""

    @property
    def resource_name(self) -> ResourceName:
        """Its name, parsed."""
        return parse_name(self.name, snapshots=True)

    @property
    def kept_since(self) -> float:
        """What its age is counted from. A lab's copy may be of long ago, and is new where it is taken in; whatever may
        hold somebody's data ages from when it was captured, however often it is copied."""
        return self.captured_at if self.taken_in_at is None else self.taken_in_at


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file's parts: the header as bytes, and what follows it."""

    header: Header
    header_bytes: bytes = field(repr=False)
    body: bytes = field(repr=False)


def digest_of(content: bytes) -> str:
    """The integrity hash of a snapshot's content."""
    return hashlib.sha256(content).hexdigest()


def seal(header: Header, content: bytes, data_key: bytes) -> bytes:
    """The whole file."""
    head = _head(header)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return head + nonce + AESGCM(data_key).encrypt(nonce, content, head)


def plain_file(header: Header, content: bytes) -> bytes:
    """The whole file without encryption."""
    return _head(header) + content


def parts_of(file: bytes) -> Sealed:
    """A file's parts. Raises StorexError SNAPSHOT_DAMAGED."""
    header, end = read_header(file)
    return Sealed(header, file[:end], file[end:])


def read_header(start: bytes) -> tuple[Header, int]:
    """The header of a file, and where it ends, from its first bytes. Raises StorexError SNAPSHOT_DAMAGED."""
    try:
        if start[: len(MAGIC)] != MAGIC:
            raise ValueError("not a snapshot")
        (length,) = _LENGTH.unpack_from(start, len(MAGIC))
        end = len(MAGIC) + _LENGTH.size + length
        if length > _LONGEST_HEADER or end > len(start):
            raise ValueError("cut off")
        found: dict[str, Any] = json.loads(start[len(MAGIC) + _LENGTH.size : end])
        known = {name: found[name] for name in Header.__dataclass_fields__ if name in found}
        header = Header(**{**known, "instances": tuple(found["instances"]), "limits": tuple(found["limits"])})
        if header.resource_name.snapshot is None:
            raise ValueError("not a snapshot's name")
    except (ValueError, TypeError, KeyError, struct.error, RecursionError, StorexError) as error:
        raise StorexError(Reason.SNAPSHOT_DAMAGED, detail=f"header: {type(error).__name__}") from None
    return header, end


def unseal(sealed: Sealed, data_key: bytes | None) -> bytes:
    """The content, checked. Raises StorexError SNAPSHOT_DAMAGED."""
    if sealed.header.plain:
        content = sealed.body
    else:
        nonce, body = sealed.body[:_NONCE_BYTES], sealed.body[_NONCE_BYTES:]
        try:
            content = AESGCM(data_key or b"").decrypt(nonce, body, sealed.header_bytes)
        except (InvalidTag, ValueError):
            raise StorexError(Reason.SNAPSHOT_DAMAGED, detail="it was changed, or is another key's") from None
    if digest_of(content) != sealed.header.sha256:
        raise StorexError(Reason.SNAPSHOT_DAMAGED, detail="its hash is another one")
    return content


def _head(header: Header) -> bytes:
    text = json.dumps(asdict(header), separators=(",", ":")).encode()
    return MAGIC + _LENGTH.pack(len(text)) + text
