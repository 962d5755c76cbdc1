"""What of a message may leave, compiled once for each message type.

A field whose class is not clear is dropped; PRINCIPAL text is replaced by a token. On a field that holds a message
the class judges the whole, then the fields of that message are judged one by one. CUSTOMER never leaves, whatever is
asked for, and PUBLIC always does. What the plan cannot know is dropped: fields that the proto does not declare,
extensions, an `Any` of a type that is not Storex's own, and what lies deeper than `MAX_DEPTH`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from libs.sensitivity.classes import (
    CUSTOMER,
    PRINCIPAL,
    PUBLIC,
    SensitivityClass,
    class_of,
    deciding_field,
    declared_class,
    is_map,
    is_value_type,
    map_value,
)

MAX_DEPTH = 32
"""How many messages deep a plan follows; what lies deeper is dropped."""

Tokenise = Callable[[str], str]
"""Turns a PRINCIPAL value into its token."""

M = TypeVar("M", bound=Message)

_ANY = any_pb2.Any.DESCRIPTOR.full_name
_OWN_TYPES = "storex."


@dataclass(frozen=True, slots=True)
class _Gate:
    clear: frozenset[SensitivityClass]
    tokenise: Tokenise | None


def apply(message: M, clear: Collection[SensitivityClass], tokenise: Tokenise | None) -> M:
    """A copy of `message` with nothing in it but what may leave.

    `clear` are the classes that leave as they are. PRINCIPAL text that is not among them becomes its token, or is
    dropped without `tokenise`.
    """
    filtered = type(message)()
    filtered.CopyFrom(message)
    filtered.DiscardUnknownFields()
    gate = _Gate((frozenset(clear) | {PUBLIC}) - {CUSTOMER}, tokenise)
    plan_for(cast(Descriptor, message.DESCRIPTOR)).enforce(filtered, gate)
    return filtered


@cache
def plan_for(descriptor: Descriptor) -> Plan:
    """The plan of a message type."""
    return Plan(descriptor)


class Plan:
    """The compiled rules of one message type."""

    def __init__(self, descriptor: Descriptor) -> None:
        self._steps = {field.number: _Step(field) for field in descriptor.fields}
        self._reached = _classes_below(descriptor)

    def enforce(self, message: Message, gate: _Gate, depth: int = 0) -> None:
        """Take out of `message`, in place, what the gate does not let through."""
        if self._reached <= gate.clear:
            return
        # All classes are looked up before anything is changed, for a field may decide about its sibling.
        for field, step, sensitivity in list(self._judged(message)):
            if step is None:
                message.ClearExtension(field)
            elif sensitivity in gate.clear:
                step.descend(message, gate, depth + 1)
            elif sensitivity == PRINCIPAL and gate.tokenise is not None:
                step.replace(message, gate.tokenise)
            else:
                message.ClearField(field.name)

    def _judged(self, message: Message) -> Iterator[tuple[Any, _Step | None, SensitivityClass]]:
        for field, _ in message.ListFields():
            step = None if field.is_extension else self._steps.get(field.number)
            yield field, step, CUSTOMER if step is None else step.class_in(message)


class _Step:
    """What to do with one field."""

    def __init__(self, field: FieldDescriptor) -> None:
        self._field = field
        self._is_map = is_map(field)
        value = map_value(field) if self._is_map else field
        self._is_any = value.message_type is not None and value.message_type.full_name == _ANY
        self._below = None if is_value_type(value) else value.message_type
        self._fixed = None if deciding_field(field) is not None else declared_class(field)

    def class_in(self, message: Message) -> SensitivityClass:
        """The class of the field in this message."""
        return class_of(message, self._field) if self._fixed is None else self._fixed

    def descend(self, message: Message, gate: _Gate, depth: int) -> None:
        """Judge the messages that the field holds, if it holds any."""
        if self._below is None:
            return
        if depth > MAX_DEPTH:
            message.ClearField(self._field.name)
            return
        if self._is_any:
            self._descend_any(message, gate, depth)
            return
        plan = plan_for(self._below)
        for held in self._held(message):
            plan.enforce(held, gate, depth)

    def _held(self, message: Message) -> list[Message]:
        value = getattr(message, self._field.name)
        if self._is_map:
            return list(value.values())
        return list(value) if self._field.is_repeated else [value]

    def _descend_any(self, message: Message, gate: _Gate, depth: int) -> None:
        """Unpack, judge and pack again what is Storex's own; drop the whole field if anything else is in it."""
        for packed in self._held(message):
            content = _unpacked(cast(any_pb2.Any, packed))
            if content is None:
                message.ClearField(self._field.name)
                return
            plan_for(cast(Descriptor, content.DESCRIPTOR)).enforce(content, gate, depth)
            cast(any_pb2.Any, packed).Pack(content)

    def replace(self, message: Message, tokenise: Tokenise) -> None:
        """Put tokens in the place of text; what is not text is dropped."""
        name = self._field.name
        value = getattr(message, name)
        if self._is_map or self._field.type != FieldDescriptor.TYPE_STRING:
            message.ClearField(name)
        elif self._field.is_repeated:
            value[:] = [tokenise(item) if item else item for item in value]
        elif value:
            setattr(message, name, tokenise(value))


def _unpacked(packed: any_pb2.Any) -> Message | None:
    """The message in an Any, without fields that its proto does not know; None where it is not one of Storex's own."""
    name = packed.TypeName()
    if not name.startswith(_OWN_TYPES):
        return None
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
        content = message_factory.GetMessageClass(descriptor).FromString(packed.value)
    except (KeyError, DecodeError):
        return None
    content.DiscardUnknownFields()
    return content


@cache
def _classes_below(descriptor: Descriptor) -> frozenset[SensitivityClass]:
    """Every class that can be met in a message of this type; CUSTOMER where something cannot be told beforehand."""
    found: set[SensitivityClass] = set()
    seen: set[str] = set()
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        if current.full_name in seen:
            continue
        seen.add(current.full_name)
        if current.is_extendable:
            found.add(CUSTOMER)
        for field in current.fields:
            found.add(CUSTOMER if deciding_field(field) is not None else declared_class(field))
            value = map_value(field) if is_map(field) else field
            if value.message_type is None or is_value_type(value):
                continue
            if value.message_type.full_name == _ANY:
                found.add(CUSTOMER)
            waiting.append(value.message_type)
    return frozenset(found)
