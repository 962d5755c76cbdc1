"""Everything that the committed stubs declare: messages, fields, services."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

from storex.common.v1 import options_pb2

ROOT = Path(__file__).resolve().parents[2]
GEN = ROOT / "gen"


def files() -> list[FileDescriptor]:
    """The descriptor of every proto file."""
    modules = sorted(path.relative_to(GEN).with_suffix("") for path in GEN.rglob("*_pb2.py"))
    return [import_module(".".join(module.parts)).DESCRIPTOR for module in modules]


def messages() -> Iterator[Descriptor]:
    """Every message type, nested ones included; the entries of maps are judged with their field."""
    for file in files():
        for message in file.message_types_by_name.values():
            yield from _with_nested(message)


def _with_nested(message: Any) -> Iterator[Descriptor]:
    if not message.GetOptions().map_entry:
        yield message
    for nested in message.nested_types:
        yield from _with_nested(nested)


def fields(message: Any) -> list[FieldDescriptor]:
    """The fields of a message type."""
    return list(message.fields)


def all_fields() -> list[FieldDescriptor]:
    """Every field of every message type."""
    return [field for message in messages() for field in fields(message)]


def all_methods() -> list[MethodDescriptor]:
    """Every method of every service."""
    return [method for file in files() for service in file.services_by_name.values() for method in service.methods]


def enums_with_classes() -> list[EnumDescriptor]:
    """Enums of which any value stands for a class."""
    found = [enum for file in files() for enum in file.enum_types_by_name.values()]
    return [
        enum
        for enum in found
        if any(value.GetOptions().HasExtension(options_pb2.value_sensitivity) for value in enum.values)
    ]


def reachable(message: Any) -> Iterator[Descriptor]:
    """A message type and every one that it can hold."""
    seen: dict[str, Descriptor] = {}
    waiting = [message]
    while waiting:
        current = waiting.pop()
        if current.full_name not in seen:
            seen[current.full_name] = current
            waiting.extend(field.message_type for field in fields(current) if field.message_type is not None)
    yield from seen.values()
