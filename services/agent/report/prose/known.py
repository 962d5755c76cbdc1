"""What recorded answers hold, as prose can be checked against it: quantities by dimension, names, moments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.sensitivity.classes import is_map
from services.agent.records import Record
from services.agent.report.prose.figures import Dimension, Figure, figures, plain
from services.agent.timestamps import epoch_seconds
from storex.agent.v1 import agent_pb2

_ENDINGS = (
    ("_per_second", Dimension.RATE),
    ("per_second", Dimension.RATE),
    ("seconds", Dimension.TIME),
    ("bytes", Dimension.BYTES),
    ("ratio", Dimension.SHARE),
)
_UNITS = {"s": Dimension.TIME, "bytes": Dimension.BYTES, "ratio": Dimension.SHARE, "1/s": Dimension.RATE}
_UNIT = "unit"
_IDS = ("connection_id", "thread_id", "processlist_id", "server_id", "error_code", "port")
_SPOKEN = ("summary", "reason", "message")
"""Text that the shard itself wrote: the figures in it are recorded ones."""
_ROWS = {"row", "rows", "record", "records"}
_CALLS = {"call", "calls", "execution", "executions", "query", "queries", "statement", "statements", "times"}
_SESSIONS = {
    "session", "sessions", "connection", "connections", "client", "clients", "thread", "threads", "waiter", "waiters",
    "transaction", "transactions", "victim", "victims", "process", "processes", "user", "users",
}  # fmt: skip
_OF_CALLS = ("call", "quer", "statement", "per_second", "execut", "count", "question", "load")
_OF_SESSIONS = re.compile(
    r"session|connect|thread|waiter|holder|idle|total|blocked|group|client|process|current|view|transact|running|active"
)
_OF_WAITS = re.compile(r"waiter|blocked|waiting|queue|victim")
_WAITING = re.compile(r"^ (?:\w+ )?(?:wait|waiting|waited|blocked|queu\w+|stuck|held|stand)")
_DONE_TO_ROWS = re.compile(
    r"^(?: \w+){0,2} (changed|modified|updated|locked|examined|read|scanned|sent|returned)\b", re.IGNORECASE
)
_READ, _WRITTEN = ("examin", "read", "scan"), ("modif", "chang", "updat", "affect")
_ROW_PATHS = {
    "chan": _WRITTEN, "modi": _WRITTEN, "upda": _WRITTEN, "lock": ("lock",), "exam": _READ, "read": _READ,
    "scan": _READ, "sent": ("sent", "return"), "retu": ("sent", "return"),
}  # fmt: skip
_SINCE = "since"
_AGO = re.compile(r"\b(?:ago|since|began|begin|start\w*|onset|last|before)\b")
_PIECES = re.compile(r"[^\w$-]+")
_SLACK = 2.0
"""Seconds by which a span since a recorded moment may differ: a sentence is written a little later."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A recorded number in the base unit of its dimension, and the words of the path that it stands at."""

    value: float
    dimension: Dimension
    path: str
    slack: float = 0.0


@dataclass(slots=True)
class Known:
    """What some recorded answers hold."""

    quantities: list[Quantity] = field(default_factory=list)
    connections: set[str] = field(default_factory=set)
    """Ids of connections, as text."""
    names: set[str] = field(default_factory=set)
    """Every text value and its pieces, in lower case, and the names of fields and tools."""
    moments: list[float] = field(default_factory=list)
    """Recorded times, in seconds since the epoch."""
    settings: list[tuple[str, str]] = field(default_factory=list)
    """Values that stand as text, with what they are the value of."""

    def shows(self, figure: Figure, sentence: str) -> bool:
        """Whether a recorded value has that size in that unit, and is a count of such things."""
        if any(_fits(quantity, figure, sentence) for quantity in self.quantities):
            return True
        return any(
            name and name.lower() in sentence.lower() and (number := _number(value)) is not None
            and figure.low <= number <= figure.high
            for name, value in self.settings
        )  # fmt: skip

    def knows(self, name: str) -> bool:
        """Whether a recorded answer holds the name, alone or as a part of a qualified one."""
        lowered = name.lower()
        return lowered in self.names or all(piece in self.names for piece in _pieces(lowered))


def known_from(records: Iterable[Record]) -> Known:
    """What these answers hold. Earlier sessions' reports are left out: they tell of another time."""
    known = Known()
    names: set[str] = set()
    for record in newest(records):
        names.add(record.name)
        known.names.add(record.tool)
        if record.message is None or isinstance(record.message, agent_pb2.ListSessionsResponse):
            continue
        _take(record, record.message, "", Dimension.COUNT, known)
        read_at = epoch_seconds(record.observed_at) if record.observed_at is not None else record.recorded_at
        for moment in known.moments:
            if read_at > moment:
                known.quantities.append(Quantity(read_at - moment, Dimension.TIME, _SINCE, _SLACK))
    known.quantities.append(Quantity(len(names), Dimension.COUNT, "instances"))
    for name in names:
        known.names |= {name.lower(), *_pieces(name.lower())}
    return known


def newest(records: Iterable[Record]) -> list[Record]:
    """Of answers to the same question only the last: what was so before may not be so now."""
    kept: dict[tuple[str, str, str], Record] = {}
    for record in records:
        if record.message is not None:
            kept[record.tool, record.name, record.arguments] = record
    return list(kept.values())


def _take(record: Record, message: Message, path: str, of: Dimension, known: Known) -> None:
    of = _dimension_of(message, of)
    key = next((str(getattr(message, name)) for name in ("variable", "name") if _has_text(message, name)), "")
    for descriptor in message.DESCRIPTOR.fields:
        known.names.add(descriptor.name)
        value: Any = getattr(message, descriptor.name)
        place = f"{path}.{descriptor.name}" if path else str(descriptor.name)
        if is_map(cast("FieldDescriptor", descriptor)):
            known.names |= {text.lower() for entry in value.items() for text in map(str, entry)}
        elif descriptor.is_repeated:
            known.quantities.append(Quantity(len(value), Dimension.COUNT, place))
            for item in value:
                _take_one(record, item, descriptor.name, place, of, known, key)
        elif not descriptor.has_presence or message.HasField(descriptor.name):
            _take_one(record, value, descriptor.name, place, of, known, key)


def _take_one(record: Record, value: Any, name: str, path: str, of: Dimension, known: Known, key: str) -> None:
    if isinstance(value, Timestamp):
        known.moments.append(epoch_seconds(value))
    elif isinstance(value, Message):
        _take(record, value, path, of, known)
    elif name in _IDS or "connection_id" in name:
        known.names.add(str(value).lower())
        if "connection_id" in name:
            known.connections.add(str(value))
    elif isinstance(value, str):
        _take_text(value, name, path, key, known)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        known.quantities.append(Quantity(float(value), _dimension(name, of), path))


def _take_text(value: str, name: str, path: str, key: str, known: Known) -> None:
    known.names |= {value.lower(), *_pieces(value.lower())}
    if name in _SPOKEN:
        said = plain(value)
        known.quantities += [
            Quantity((figure.low + figure.high) / 2, figure.dimension, f"{path} {said}") for figure in figures(said)
        ]
    elif name == "value" and path.endswith("entities.value"):
        if value.isdecimal():
            known.connections.add(value)
    elif _number(value) is not None:
        known.settings.append((key, value))


def _dimension(name: str, of: Dimension) -> Dimension:
    return next((dimension for ending, dimension in _ENDINGS if name.endswith(ending)), of)


def _dimension_of(message: Message, outer: Dimension) -> Dimension:
    """The dimension of a message's plain numbers, where it says their unit itself, or what it is a history of does."""
    if _has_text(message, _UNIT):
        return _UNITS.get(str(getattr(message, _UNIT)), Dimension.COUNT)
    metric = getattr(message, "metric", None)
    return _dimension_of(metric, outer) if isinstance(metric, Message) else outer


def _has_text(message: Message, name: str) -> bool:
    return isinstance(getattr(message, name, None), str) and bool(getattr(message, name))


def _pieces(text: str) -> list[str]:
    return [piece for piece in _PIECES.split(text) if piece]


def _fits(quantity: Quantity, figure: Figure, sentence: str) -> bool:
    if quantity.dimension is not figure.dimension or (quantity.path == _SINCE and not _AGO.search(sentence)):
        return False
    if not figure.low - quantity.slack <= quantity.value <= figure.high + quantity.slack:
        return False
    if figure.dimension is not Dimension.COUNT:
        return True
    of_rows, of_calls = "row" in quantity.path, any(word in quantity.path for word in _OF_CALLS)
    if figure.noun in _ROWS:
        done = _DONE_TO_ROWS.match(sentence[figure.end + len(figure.noun) + 1 :])
        return of_rows and (
            done is None or any(word in quantity.path for word in _ROW_PATHS[done.group(1)[:4].lower()])
        )
    if figure.noun in _CALLS:
        return of_calls and not of_rows
    if figure.noun not in _SESSIONS:
        return True
    waiting = _WAITING.match(sentence[figure.end + len(figure.noun) + 1 :]) is not None
    return (_OF_WAITS if waiting else _OF_SESSIONS).search(quantity.path) is not None and not of_rows


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def connection_lists(text: str) -> Iterator[str]:
    """The ids that a text calls connections: `connection 812`, `sessions 901, 902 and 903`."""
    for match in _CONNECTIONS.finditer(text):
        yield from re.findall(r"\d+", match.group())


_CONNECTIONS = re.compile(
    r"\b(?:connections?|sessions?|threads?|process(?:es)?|pid|conn|ids?)(?: id)?(?: #|#| number | no\. | |=|: )"
    r"\d+(?:(?:, and |, | and | or )\d+)*\b(?! of| \w+ a second|\.\d|%)",
    re.IGNORECASE,
)
