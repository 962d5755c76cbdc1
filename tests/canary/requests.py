"""Requests for any method, made from its descriptor, so that a new RPC or field is called without a line of test."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from libs.rpc.methods import MethodInfo
from libs.sensitivity.classes import is_map
from storex.history.v1 import history_pb2
from tests.canary.garden import INSTANCE, REGION
from tests.canary.markers import customer, schema

TYPED = customer("typed")
"""What a careless person types into a question: it may be answered, but neither kept nor passed on."""
QUESTION = f"why is the shop slow since '{TYPED}' came, and \"{TYPED}\" too? mail {TYPED}@example.com"

_ALWAYS: dict[str, Any] = {
    "question": QUESTION,
    "metric": "queries_per_second",
    "event": history_pb2.DeployEvent(service="shop", version="1.2", note=QUESTION),
}
"""What a request is no request without, by field."""

_REGION_NAME = f"regions/{REGION}"
_NAMES = (INSTANCE, _REGION_NAME, f"{_REGION_NAME}/instances/-", "regions/-", "regions/-/instances/-")
_FAILING = tuple(f"{_REGION_NAME}/instances/{name}-1" for name in ("locked", "hostile", "silent", "absent"))
_TARGETS = (INSTANCE, "services/shop", _REGION_NAME)
_NUMBERS = (0, 1, 1000, -1)


class Harvest:
    """Values that answers have held, by field name: session ids, page tokens, digests and the like."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, None]] = {}

    def gather(self, message: Message) -> None:
        """Keep the texts of an answer."""
        for field, value in message.ListFields():
            if is_map(field):
                continue
            for item in value if field.is_repeated else (value,):
                if isinstance(item, Message):
                    self.gather(item)
                elif isinstance(item, str) and item:
                    self._values.setdefault(field.name.removeprefix("next_"), {})[item] = None

    def texts(self, name: str) -> list[str]:
        """Some of the values that a field of this name has held, the first and the last."""
        values = list(self._values.get(name, {}))
        return list(dict.fromkeys([*values[:2], *values[-1:]]))


def requests_for(method: MethodInfo, harvest: Harvest, *, failing: bool, thorough: bool) -> Iterator[Message]:
    """Requests that name the planted instance and all that covers it, then those that vary one field at a time.

    With `failing` databases are named that cannot be read. Without `thorough` each field is varied once.
    """
    names = [*_NAMES, *(_FAILING if failing else ())]
    subject = next(
        (field for field in ("name", "target") if field in method.request_type.DESCRIPTOR.fields_by_name), ""
    )
    for text in names if subject == "name" else _TARGETS if subject == "target" else ("",):
        yield _filled(method.request_type, harvest, {subject: text} if subject else {})
    base = {subject: INSTANCE} if subject else {}
    for field in _fields(method.request_type):
        if field.name != subject:
            values = list(_values(field, harvest))
            for value in values if thorough else values[-1:]:
                yield _filled(method.request_type, harvest, {**base, field.name: value})


def _filled(request_type: type[Message], harvest: Harvest, values: dict[str, Any]) -> Message:
    request = request_type()
    for field in _fields(request_type):
        value = values.get(field.name, _ALWAYS.get(field.name))
        if value is None:
            # An id that only an answer can tell is always wanted, unless it goes on with something.
            known = harvest.texts(field.name) if field.name.endswith("_id") and not values else []
            value = known[-1] if known else None
        if value is not None:
            _assign(request, field, value)
    return request


def _fields(request_type: type[Message]) -> list[FieldDescriptor]:
    descriptor: Any = request_type.DESCRIPTOR  # its published type mixes two implementations
    return list(descriptor.fields)


def _assign(request: Message, field: FieldDescriptor, value: Any) -> None:
    if is_map(field):
        getattr(request, field.name).update(value)
    elif field.is_repeated:
        getattr(request, field.name).append(value)
    elif isinstance(value, Message):
        getattr(request, field.name).CopyFrom(value)
    else:
        setattr(request, field.name, value)


def _values(field: FieldDescriptor, harvest: Harvest) -> Iterable[Any]:
    if is_map(field):
        return [{"service": "shop"}]
    if field.message_type is not None:
        usual: dict[str, Message] = {
            timestamp_pb2.Timestamp.DESCRIPTOR.full_name: timestamp_pb2.Timestamp(seconds=1_700_000_000),
            duration_pb2.Duration.DESCRIPTOR.full_name: duration_pb2.Duration(seconds=300),
        }
        return [value for name, value in usual.items() if name == field.message_type.full_name]
    if field.enum_type is not None:
        return [value.number for value in field.enum_type.values]
    if field.type == FieldDescriptor.TYPE_BOOL:
        return [True]
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        # A question comes back to whoever asked it: one that names what they may not see would look like a leak.
        known = () if field.name in _ALWAYS else (schema("shop"),)
        texts = [*known, *harvest.texts(field.name)]
        return texts if field.type == FieldDescriptor.TYPE_STRING else [text.encode() for text in texts]
    return _NUMBERS


def malformed(method: MethodInfo) -> Iterator[bytes]:
    """Requests that are none: not protobuf, cut off, with fields of nobody's, too deep, with names that play tricks."""
    text = TYPED.encode()
    yield b"\xff\xfe" + text
    yield b"\x0a\x7f" + text
    yield b"\x0a" + bytes([len(text) + 1]) + text + b"\xff"
    yield b"\xfa\x3f" + bytes([len(text)]) + text
    yield b"\x0b" * 200 + text
    yield b"\x0a\x00" * 50_000
    names = (
        f"{INSTANCE}/{TYPED}",
        f"{INSTANCE}' OR '{TYPED}",
        f"regions/{TYPED}/instances/shop-1",
        f"{_REGION_NAME}/instances/{TYPED}",
        f"{_REGION_NAME}/../{REGION}/instances/shop-1",
        f"regions/{REGION.replace('e', 'е')}/instances/shop-1",  # noqa: RUF001 - a Cyrillic letter is the trick
        "regions//instances/",
        "x" * 10_000,
    )
    for field, name in itertools.product(("name", "target", "session_id", "page_token"), names):
        if field in method.request_type.DESCRIPTOR.fields_by_name:
            yield method.request_type(**{field: name}).SerializeToString()
    if "name" in method.request_type.DESCRIPTOR.fields_by_name:
        yield (
            method.request_type(name=INSTANCE).SerializeToString()
            + method.request_type(name=f"{_REGION_NAME}/instances/absent-1").SerializeToString()
        )
