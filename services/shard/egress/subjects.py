"""Which instance a message is about, so that each message of a stream is judged by the rights on its own instance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from libs.core.resources import Resource

_NAME = "name"
_MAX_DEPTH = 3
"""How deep a message's name may lie: `health.observation.name`."""

_Path = tuple[str, ...]


def subject_of(message: Message, resources: Mapping[str, Resource]) -> Resource | None:
    """The one of `resources` (by resource name) that the message names; None where it names none of them, or several.

    Only names outside of lists count: a list may speak of many instances.
    """
    found = {value for path in _name_paths(message.DESCRIPTOR) if (value := _value(message, path)) in resources}
    return resources[found.pop()] if len(found) == 1 else None


@cache
def _name_paths(descriptor: Descriptor, depth: int = 0) -> tuple[_Path, ...]:
    paths: list[_Path] = []
    for field in descriptor.fields:
        if field.is_repeated:
            continue
        if field.name == _NAME and field.type == FieldDescriptor.TYPE_STRING:
            paths.append((field.name,))
        elif field.message_type is not None and depth < _MAX_DEPTH:
            paths.extend((field.name, *below) for below in _name_paths(field.message_type, depth + 1))
    return tuple(paths)


def _value(message: Message, path: _Path) -> str:
    for part in path[:-1]:
        if not message.HasField(part):
            return ""
        message = getattr(message, part)
    return str(getattr(message, path[-1]))
