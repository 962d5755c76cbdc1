"""Dataclasses as plain values and back, by their declared types: what is added to one is written down by itself."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

_Shape = Callable[[Any], Any]


def plain(value: Any) -> Any:
    """Dataclasses as lists of their values, mappings as lists of pairs, sequences as lists; the rest as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, Mapping):
        return [[plain(key), plain(below)] for key, below in value.items()]
    if isinstance(value, tuple | list | deque):
        return [plain(below) for below in value]
    return value


def shaped(kind: Any, document: Any) -> Any:
    """The value of a type that `plain` was given. Fields that a dataclass has got since have their defaults."""
    return _shape(kind)(document)


@cache
def _shape(kind: Any) -> _Shape:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_shape(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional_shape(arguments)
    if not isinstance(origin, type):
        return _as_it_is
    if issubclass(origin, Mapping):
        key, below = _shape(arguments[0]), _shape(arguments[1])
        return lambda pairs: {key(name): below(value) for name, value in pairs}
    if issubclass(origin, tuple) and arguments[-1:] != (Ellipsis,):
        parts = [_shape(argument) for argument in arguments]
        return lambda values: tuple(part(value) for part, value in zip(parts, values, strict=True))
    if issubclass(origin, Sequence | deque):
        container: Any = tuple if issubclass(origin, tuple) else origin
        item = _shape(arguments[0])
        return lambda values: container(item(value) for value in values)
    return _as_it_is


def _optional_shape(arguments: Sequence[Any]) -> _Shape:
    [inner] = [_shape(argument) for argument in arguments if argument is not type(None)]
    return lambda value: None if value is None else inner(value)


def _dataclass_shape(kind: Any) -> _Shape:
    hints = typing.get_type_hints(kind)
    shapes = [_shape(hints[field.name]) for field in dataclasses.fields(kind)]
    return lambda values: kind(*(shape(value) for shape, value in zip(shapes, values, strict=False)))


def _as_it_is(value: Any) -> Any:
    return value
