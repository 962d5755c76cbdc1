"""Any answer of a collector as text and tables: its figures first, then a table for each list in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import RenderableType
from rich.text import Text

from libs.cli.output import RowsView, table_of
from libs.cli.safe_text import plain

Cells = dict[str, str]

_NOTHING = ("", "0", "no")
"""A column of a table that holds nothing else is left out."""


def message_view(message: Message) -> Iterator[RenderableType]:
    """What to print of a message, part by part."""
    figures = _cells(message)
    if figures:
        yield table_of(("", ""), [(name, value) for name, value in figures.items()])
    for path, rows in _lists(message):
        yield Text("")
        yield plain(f"{path} ({len(rows)})", "bold")
        columns = [
            name
            for name in dict.fromkeys(name for row in rows for name in row)
            if any(row.get(name, "") not in _NOTHING for row in rows)
        ]
        yield RowsView(columns, [[row.get(name, "") for name in columns] for row in rows])


def _cells(message: Message, prefix: str = "") -> Cells:
    """The figures of a message and of the messages inside it, by path.

    A number of zero and a no are figures too. Left out is what is empty, and what is unknown: a field that can tell
    whether it is set, and is not.
    """
    cells: Cells = {}
    for field, value in _figures(message):
        name = f"{prefix}{field.name}"
        if _is_map(field):
            cells[name] = " ".join(f"{key}={value[key]}" for key in sorted(value))
        elif field.is_repeated:
            cells[name] = ", ".join(_text(field, item) for item in value)
        elif isinstance(value, (Timestamp, Duration)):
            cells[name] = _moment(value)
        elif isinstance(value, Message):
            cells |= _cells(value, f"{name}.")
        else:
            cells[name] = _text(field, value)
    return cells


def _figures(message: Message) -> Iterator[tuple[FieldDescriptor, Any]]:
    """The fields that hold something, in the order of the contract; not the lists of messages."""
    descriptor: Any = message.DESCRIPTOR
    for field in sorted(descriptor.fields, key=lambda field: field.number):
        value = getattr(message, field.name)
        if field.is_repeated:
            told = bool(value) and (field.message_type is None or _is_map(field))
        elif field.has_presence:
            told = message.HasField(field.name)
        else:
            told = bool(value) or (field.enum_type is None and not isinstance(value, (str, bytes)))
        if told:
            yield field, value


def _lists(message: Message, prefix: str = "") -> Iterator[tuple[str, Sequence[Cells]]]:
    for field, value in message.ListFields():
        if field.message_type is None or _is_map(field):
            continue
        if field.is_repeated:
            yield f"{prefix}{field.name}", [_cells(item) for item in value]
            for position, item in enumerate(value):
                yield from _lists(item, f"{prefix}{field.name}[{position}].")
        else:
            yield from _lists(value, f"{prefix}{field.name}.")


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _moment(value: Timestamp | Duration) -> str:
    if isinstance(value, Duration):
        return f"{value.ToTimedelta().total_seconds():g} s"
    return f"{datetime.fromtimestamp(value.seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _text(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        found = field.enum_type.values_by_number.get(value)
        return found.name if found is not None else str(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)
