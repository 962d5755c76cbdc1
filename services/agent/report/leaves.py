"""Every value of a recorded answer with its path: what a claim can be looked up in."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.sensitivity.paths import PathError, resolve_path


def leaf_values(message: Message | None, within: str = "") -> dict[str, str]:
    """Path → value, as JSON prints it, for all values that are set; `within` narrows it to one element such as `a[3]`.

    Maps are left out: their keys are data, and nothing that a report claims stands in one.
    """
    if message is None:
        return {}
    start: Message = message
    if within:
        path, _, position = within.removesuffix("]").partition("[")
        start = attrgetter(path)(message)[int(position)]
    values: dict[str, str] = {}
    for path in _paths(start, within):
        try:
            values[path] = resolve_path(message, path)[0]
        except PathError:
            continue
    return values


def _paths(message: Message, prefix: str) -> Iterator[str]:
    for descriptor, value in message.ListFields():
        if _is_map(descriptor):
            continue
        path = f"{prefix}.{descriptor.name}" if prefix else str(descriptor.name)
        items: list[tuple[str, Any]] = [(path, value)]
        if descriptor.is_repeated:
            items = [(f"{path}[{position}]", item) for position, item in enumerate(value)]
        for place, item in items:
            if isinstance(item, Message) and not item.DESCRIPTOR.full_name.startswith("google.protobuf."):
                yield from _paths(item, place)
            else:
                yield place


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)
