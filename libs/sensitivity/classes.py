"""The class of a field, as its options declare it or as a sibling's value decides it."""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message

from storex.common.v1 import entity_pb2, options_pb2

SensitivityClass: TypeAlias = "options_pb2.Sensitivity.ValueType"
"""One of the classes; the numbers rise with the sensitivity."""

PUBLIC = options_pb2.SENSITIVITY_PUBLIC
SCHEMA = options_pb2.SENSITIVITY_SCHEMA
PRINCIPAL = options_pb2.SENSITIVITY_PRINCIPAL
CUSTOMER = options_pb2.SENSITIVITY_CUSTOMER

_ENTITY_PREFIX = "ENTITY_TYPE_"
_VALUE_TYPES = frozenset(
    f"google.protobuf.{name}"
    for name in (
        "Timestamp",
        "Duration",
        "DoubleValue",
        "FloatValue",
        "Int64Value",
        "UInt64Value",
        "Int32Value",
        "UInt32Value",
        "BoolValue",
        "StringValue",
        "BytesValue",
    )
)


def known(value: int) -> SensitivityClass:
    """`value` as a class; what is unset or not one of the classes counts as CUSTOMER."""
    for sensitivity in (PUBLIC, SCHEMA, PRINCIPAL):
        if value == sensitivity:
            return sensitivity
    return CUSTOMER


def stricter(left: SensitivityClass, right: SensitivityClass) -> SensitivityClass:
    """The class of a value that both classes apply to."""
    left, right = known(left), known(right)
    return left if left > right else right


@cache
def deciding_field(field: FieldDescriptor) -> FieldDescriptor | None:
    """The sibling named by `sensitivity_from`; None where there is no such option or the sibling cannot decide."""
    name = field.GetOptions().Extensions[options_pb2.sensitivity_from]
    owner = field.containing_type
    sibling = None if owner is None else owner.fields_by_name.get(name)
    if sibling is None or sibling.is_repeated or sibling is field:
        return None
    return sibling if sibling.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM) else None


@cache
def declared_class(field: FieldDescriptor) -> SensitivityClass:
    """The class that the options give by themselves; CUSTOMER where only a sibling's value can tell."""
    return known(field.GetOptions().Extensions[options_pb2.sensitivity])


def class_of(message: Message, field: FieldDescriptor) -> SensitivityClass:
    """The class of `field` in this `message`, looking at the deciding sibling where there is one."""
    sibling = deciding_field(field)
    if sibling is None:
        return declared_class(field)
    decided = _decided(sibling, getattr(message, sibling.name))
    options = field.GetOptions()
    if options.Extensions[options_pb2.sensitivity] == options_pb2.SENSITIVITY_UNSPECIFIED:
        return decided
    return stricter(decided, declared_class(field))


def is_value_type(field: FieldDescriptor) -> bool:
    """Whether a message-typed field is one value to its reader, such as a timestamp, so that its own class is all."""
    return field.message_type is not None and field.message_type.full_name in _VALUE_TYPES


def is_map(field: FieldDescriptor) -> bool:
    """Whether the field is a map, which the wire knows as a list of entries."""
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def map_value(field: FieldDescriptor) -> FieldDescriptor:
    """The field that holds the values of a map. Raises ValueError for a field that is none."""
    if field.message_type is None or not is_map(field):
        raise ValueError(f"{field.full_name} is not a map")
    return field.message_type.fields_by_name["value"]


def _decided(sibling: FieldDescriptor, value: str | int) -> SensitivityClass:
    if isinstance(value, str) or sibling.enum_type is None:
        return _word_classes().get(str(value), CUSTOMER)
    return _number_class(sibling.enum_type, value)


@cache
def _word_classes() -> dict[str, SensitivityClass]:
    return {
        name.removeprefix(_ENTITY_PREFIX).lower(): _number_class(entity_pb2.EntityType.DESCRIPTOR, number)
        for name, number in entity_pb2.EntityType.items()
    }


def _number_class(enum: EnumDescriptor, number: int) -> SensitivityClass:
    value = enum.values_by_number.get(number)
    return CUSTOMER if value is None else known(value.GetOptions().Extensions[options_pb2.value_sensitivity])
