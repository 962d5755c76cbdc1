"""Canaries: words that occur nowhere else, one stem for each class, and the search for them in every form."""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA, SensitivityClass

STEMS: dict[SensitivityClass, str] = {CUSTOMER: "zqcuvxkj", PRINCIPAL: "zqprvxkj", SCHEMA: "zqscvxkj"}
"""What every canary of a class begins with: a value that was cut off after eight characters is still found."""

NUMBER = 7391554086217
"""The canary among numbers, CUSTOMER; its first ten digits are searched for."""
CLIENT_ADDRESS = "127.93.217.164"
"""Where some of the planted clients connect from, PRINCIPAL; the loop-back network takes any of its addresses."""

_CONTEXT = 24
_TAIL = re.compile(rb"[0-9A-Za-z_]{0,24}")


def customer(place: str) -> str:
    """A literal, a row's value or the like, named after the place that it is planted in."""
    return STEMS[CUSTOMER] + _letters(place)


def principal(place: str) -> str:
    """A user, program or connection attribute."""
    return STEMS[PRINCIPAL] + _letters(place)


def schema(place: str) -> str:
    """The name of a table, a column and so on."""
    return STEMS[SCHEMA] + _letters(place)


def _letters(place: str) -> str:
    assert place.isalnum(), "a canary is one word, whatever reads it"
    return place


@dataclass(frozen=True, slots=True)
class Sighting:
    """A canary that was found: its class, the form it had, and what stood there."""

    sensitivity: SensitivityClass
    form: str
    text: str


@dataclass(frozen=True, slots=True)
class _Form:
    sensitivity: SensitivityClass
    name: str
    pattern: re.Pattern[bytes]


def sightings(data: bytes) -> set[Sighting]:
    """Every canary in `data`, whole or cut off, in any of the forms."""
    return {
        Sighting(form.sensitivity, form.name, _shown(data, found))
        for form in _forms()
        for found in form.pattern.finditer(data)
    }


def seen(data: bytes, sensitivity: SensitivityClass) -> set[Sighting]:
    """The canaries of one class."""
    return {sighting for sighting in sightings(data) if sighting.sensitivity == sensitivity}


def _shown(data: bytes, found: re.Match[bytes]) -> str:
    tail = _TAIL.match(data, found.end())
    before = data[max(0, found.start() - _CONTEXT) : found.start()]
    return (before + found.group() + (tail.group() if tail else b"")).decode("ascii", "replace")


@cache
def _forms() -> tuple[_Form, ...]:
    """Base64 and UTF-16 are tried as written; plain and hex in both cases, for engines change the case of names."""
    forms = []
    for sensitivity, stem in STEMS.items():
        for name, needle in _encodings(stem.encode()):
            flags = re.IGNORECASE if name in ("plain", "hex", "utf-16") else 0
            forms.append(_Form(sensitivity, name, re.compile(re.escape(needle), flags)))
        upper = stem.upper().encode()
        forms.append(_Form(sensitivity, "hex", re.compile(upper.hex().encode(), re.IGNORECASE)))
    forms.append(_Form(PRINCIPAL, "plain", re.compile(re.escape(CLIENT_ADDRESS.encode()))))
    forms += [_Form(CUSTOMER, name, re.compile(re.escape(needle))) for name, needle in _number_encodings()]
    return tuple(forms)


def _encodings(stem: bytes) -> Iterator[tuple[str, bytes]]:
    yield "plain", stem
    yield "reversed", stem[::-1]
    yield "hex", stem.hex().encode()
    yield "bits", "".join(f"{byte:08b}" for byte in stem).encode()
    yield "utf-16", stem.decode().encode("utf-16-le")
    for shift in range(3):
        # The characters at either end also hold bits of the neighbours: only those in between are certain.
        encoded = base64.b64encode(b"\0" * shift + stem)
        first = -(-shift * 4 // 3)
        yield f"base64 at {shift}", encoded[first : (shift + len(stem)) * 8 // 6]


def _number_encodings() -> Iterator[tuple[str, bytes]]:
    yield "digits", str(NUMBER)[:10].encode()
    yield "hex", f"{NUMBER:x}".encode()
    yield "hex", f"{NUMBER:X}".encode()
    yield "varint", _varint(NUMBER)
    yield "fixed64", struct.pack("<q", NUMBER)
    yield "double", struct.pack("<d", float(NUMBER))


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])
