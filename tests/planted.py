"""Messages in which every field holds a marked value that says its class, whatever fields the protos come to have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.sensitivity.classes import (
    CUSTOMER,
    PRINCIPAL,
    PUBLIC,
    SCHEMA,
    class_of,
    deciding_field,
    declared_class,
    is_map,
)
from storex.common.v1 import entity_pb2, options_pb2

MARKS = {PUBLIC: "pub-mark", SCHEMA: "sch-mark", PRINCIPAL: "prn-mark", CUSTOMER: "cus-mark"}
_NUMBER = 7
_DEPTH = 6


def planted(message_type: type[Message]) -> Iterator[Message]:
    """Filled messages: one for each branch of a oneof, so that no field is left out."""
    message = message_type()
    oneofs = [oneof for oneof in message.DESCRIPTOR.oneofs if len(oneof.fields) > 1]
    for oneof in oneofs:
        for branch in oneof.fields:
            chosen = message_type()
            _fill(chosen, only=branch.name)
            yield chosen
    if not oneofs:
        _fill(message)
        yield message


def _fields(descriptor: Any) -> list[FieldDescriptor]:
    return list(descriptor.fields)


def _fill(message: Message, only: str = "", depth: int = 0) -> None:
    for field in _fields(message.DESCRIPTOR):
        if field.containing_oneof is not None and only not in ("", field.name):
            continue
        if field.message_type is None:
            _fill_value(message, field)
        elif is_map(field):
            getattr(message, field.name)["key"] = MARKS[declared_class(field)]
        elif depth < _DEPTH:
            held = getattr(message, field.name)
            if not field.is_repeated:
                _fill(held, depth=depth + 1)
                continue
            for name, value in _variants(field):
                item = held.add()
                _fill(item, depth=depth + 1)
                if name:
                    setattr(item, name, value)
                    _mark_decided(item)


def _variants(field: FieldDescriptor) -> Iterator[tuple[str, Any]]:
    """Every value of a field that decides over a sibling; one plain item where there is no such field."""
    deciders = [found for below in _fields(field.message_type) if (found := deciding_field(below)) is not None]
    if not deciders:
        yield "", None
    for decider in deciders:
        if decider.enum_type is not None:
            yield from ((decider.name, value.number) for value in decider.enum_type.values)
        else:
            words = [
                word.removeprefix("ENTITY_TYPE_").lower() for word in entity_pb2.EntityType.DESCRIPTOR.values_by_name
            ]
            yield from ((decider.name, word) for word in [*words, "USER", "no such word"])


def _mark_decided(item: Message) -> None:
    for field in _fields(item.DESCRIPTOR):
        if deciding_field(field) is not None:
            setattr(item, field.name, MARKS[class_of(item, field)])


def _fill_value(message: Message, field: FieldDescriptor) -> None:
    value: Any = _NUMBER
    if field.type == FieldDescriptor.TYPE_STRING:
        value = MARKS[CUSTOMER if deciding_field(field) is not None else declared_class(field)]
    elif field.type == FieldDescriptor.TYPE_BYTES:
        value = MARKS[declared_class(field)].encode()
    elif field.type == FieldDescriptor.TYPE_BOOL:
        value = True
    elif field.enum_type is not None:
        value = options_pb2.SENSITIVITY_CUSTOMER if field.enum_type.name == "Sensitivity" else 1
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)
