"""Plain values as bytes and back, with every type that a driver returns: JSON for the shape, and binary values apart.

A value comes back as what it was, to the last bit: a replay must not differ from what it recorded. Reading makes
numbers, texts, dates and containers, and nothing else: no recording can make it run anything.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_LENGTH = struct.Struct("<Q")
_LEVEL = 1
"""Of compression: what a higher one saves is not worth its time while a server is being looked at."""


def pack(document: Mapping[str, Any]) -> bytes:
    """The document as compressed bytes. Raises TypeError for a value of a type that no driver returns."""
    binary: list[bytes] = []
    place = 0

    def other(value: object) -> dict[str, Any]:
        nonlocal place
        if isinstance(value, bytes | bytearray):
            binary.append(bytes(value))
            place += len(value)
            return {"$b": [place - len(value), len(value)]}
        return _tagged(value)

    text = json.dumps(document, default=other, separators=(",", ":"), ensure_ascii=False)
    shape = text.encode("utf-8", "surrogatepass")
    return zlib.compress(b"".join((_LENGTH.pack(len(shape)), shape, *binary)), _LEVEL)


def unpack(content: bytes, most_bytes: int) -> dict[str, Any]:
    """The document of packed bytes. Raises ValueError for anything else, and for more than `most_bytes` of it."""
    try:
        inflating = zlib.decompressobj()
        data = inflating.decompress(content, most_bytes)
        if not inflating.eof:
            raise ValueError("it is longer than it may be, or cut off")
        (length,) = _LENGTH.unpack_from(data)
        binary = memoryview(data)[_LENGTH.size + length :]
        shape = data[_LENGTH.size : _LENGTH.size + length].decode("utf-8", "surrogatepass")
        document = json.loads(shape, object_hook=lambda found: _untagged(found, binary))
    except (zlib.error, struct.error, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"not a packed document: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise ValueError("not a packed document")
    return document


def _tagged(value: object) -> dict[str, Any]:
    if isinstance(value, Decimal):
        return {"$d": str(value)}
    if isinstance(value, datetime):
        return {"$t": value.isoformat()}
    if isinstance(value, date):
        return {"$y": value.isoformat()}
    if isinstance(value, timedelta):
        return {"$s": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, time):
        return {"$h": value.isoformat()}
    if isinstance(value, set | frozenset):
        return {"$e": sorted(value)}
    raise TypeError(f"no value of a database: {type(value).__name__}")


def _untagged(found: dict[str, Any], binary: memoryview) -> Any:
    if len(found) != 1:
        return found
    [(tag, value)] = found.items()
    if tag == "$b":
        start, length = value
        if not 0 <= start <= start + length <= len(binary):
            raise ValueError("a binary value lies outside of its document")
        return bytes(binary[start : start + length])
    reading = _READINGS.get(tag)
    return found if reading is None else reading(value)


_READINGS: Mapping[str, Any] = {
    "$d": Decimal,
    "$t": datetime.fromisoformat,
    "$y": date.fromisoformat,
    "$s": lambda parts: timedelta(*parts),
    "$h": time.fromisoformat,
    "$e": set,
}


def written(at: float) -> str:
    """A moment as text, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
