"""Paths into an answer, such as `holders[0].session.connection_id`, with the value there and its class.

A path names fields as the protos do. `[n]` picks an element of a list, from 0, and `[key]` an entry of a map. Findings
and reports cite values this way, so that whoever reads one can look it up again and see that it is so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.sensitivity.classes import PUBLIC, SensitivityClass, class_of, is_map, is_value_type, map_value, stricter

MAX_PATH_LENGTH = 512
"""Longest accepted path, in characters."""

_STEP = re.compile(r"(?P<field>[a-z][a-z0-9_]*)(?:\[(?P<key>[^\[\]]*)\])?(?P<end>\.|$)", re.ASCII)


class PathError(ValueError):
    """The path does not lead to a value of this message. The text never holds a value."""


def resolve_path(message: Message, path: str) -> tuple[str, SensitivityClass]:
    """The value at `path`, as JSON prints it but without quotes, and its class.

    The class is the strictest one on the way. Raises PathError where the path does not parse, names an unknown field,
    leaves the list or the map, passes through something unset, or ends on a message or a whole list.
    """
    current: Any = message
    sensitivity: SensitivityClass = PUBLIC
    field: FieldDescriptor | None = None
    for name, key in _steps(path):
        if not isinstance(current, Message) or (field is not None and is_value_type(field)):
            raise PathError(f"{path}: {name} is not a part of a value")
        owner = current
        field = _field(owner, name, path)
        sensitivity = stricter(sensitivity, class_of(owner, field))
        current = _element(owner, field, key, path)
        field = map_value(field) if is_map(field) else field
    if field is None:
        raise PathError("the path is empty")
    return _printed(current, field, path), sensitivity


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[tuple[str, str | None], ...]:
    if len(path) > MAX_PATH_LENGTH:
        raise PathError("the path is too long")
    return tuple(_parse(path))


def _parse(path: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while True:
        step = _STEP.match(path, position)
        if step is None:
            raise PathError("the path is not a list of field names, joined by dots, with [n] after lists")
        yield step["field"], step["key"]
        if not step["end"]:
            return
        position = step.end()


def _field(owner: Message, name: str, path: str) -> FieldDescriptor:
    field = cast("FieldDescriptor | None", owner.DESCRIPTOR.fields_by_name.get(name))
    if field is None:
        raise PathError(f"{path}: {owner.DESCRIPTOR.name} has no field {name}")
    if field.has_presence and not owner.HasField(name):
        raise PathError(f"{path}: {name} is not set")
    return field


def _element(owner: Message, field: FieldDescriptor, key: str | None, path: str) -> Any:
    value = getattr(owner, field.name)
    if not field.is_repeated:
        if key is not None:
            raise PathError(f"{path}: {field.name} is neither a list nor a map")
        return value
    if key is None:
        raise PathError(f"{path}: {field.name} needs [n] or [key]")
    if is_map(field):
        entries = {str(entry): entry for entry in value}
        if key not in entries:
            raise PathError(f"{path}: {field.name} has no such key")
        return value[entries[key]]
    if not (key.isascii() and key.isdigit()) or int(key) >= len(value):
        raise PathError(f"{path}: {field.name} has no such element")
    return value[int(key)]


def _printed(value: Any, field: FieldDescriptor, path: str) -> str:
    if isinstance(value, Message):
        if not is_value_type(field):
            raise PathError(f"{path}: it ends on a message, not on a value")
        return str(json.loads(json_format.MessageToJson(value)))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        raise PathError(f"{path}: bytes cannot be cited")
    if field.enum_type is not None:
        named = field.enum_type.values_by_number.get(value)
        return str(value) if named is None else named.name
    return repr(value) if isinstance(value, float) else str(value)
