"""How samples and statement work lie in the store: plain numbers, so that one metric can be cut out by its place."""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence

from services.shard.stores.records import Counters

NUMBER_BYTES = 4
"""Single precision: more than six figures of a measured value would be noise, and cost as much again."""
_UNKNOWN = math.nan
_LARGEST = 2**64 - 1
_HIGHEST = 3.4e38


def pack_values(layout: Sequence[str], values: Mapping[str, Sequence[float]], width: int) -> bytes:
    """`width` numbers for each metric of the layout; NaN where a metric is not known."""
    unknown = (_UNKNOWN,) * width
    numbers: list[float] = []
    for metric in layout:
        numbers.extend(values.get(metric, unknown))
    try:
        return struct.pack(f"<{len(numbers)}f", *numbers)
    except OverflowError:
        return struct.pack(f"<{len(numbers)}f", *map(_bounded, numbers))


def _bounded(number: float) -> float:
    return math.copysign(_HIGHEST, number) if abs(number) > _HIGHEST else number


def unpack_values(packed: bytes) -> tuple[float, ...]:
    """Every number of a piece."""
    return struct.unpack(f"<{len(packed) // NUMBER_BYTES}f", packed)


def pack_work(done: Iterable[tuple[int, Counters]]) -> bytes:
    """Statement numbers with their counters, compressed; how many counters there are comes first."""
    parts = [b"\0"]
    for number, counters in done:
        parts[0] = bytes((len(counters),))
        parts.append(struct.pack(f"<q{len(counters)}Q", number, *(min(counter, _LARGEST) for counter in counters)))
    return zlib.compress(b"".join(parts), 1)


def unpack_work(packed: bytes, counters: int) -> list[tuple[int, Counters]]:
    """Statement numbers with so many counters each; those that an older version did not keep are zero."""
    content = zlib.decompress(packed)
    missing = (0,) * (counters - content[0])
    layout = struct.Struct(f"<q{content[0]}Q")
    return [(found[0], (found[1:] + missing)[:counters]) for found in layout.iter_unpack(content[1:])]
