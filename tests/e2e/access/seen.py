"""Calls as bytes, over real channels, and what of each class an answer holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from libs.core.errors import Reason, StatusCode
from libs.rpc.methods import MethodInfo
from libs.rpc.status import error_from_rpc
from libs.sensitivity.classes import class_of, is_map, is_value_type

Metadata = tuple[tuple[str, str], ...]


LASTING = 2.5
"""For how long a stream is listened to that would go on for ever, in seconds."""


@dataclass
class Answer:
    """How a call ended: with its messages, or a reason and everything that was sent with it."""

    messages: list[Message] = field(default_factory=list)
    reason: Reason | None = None
    error: bytes = b""

    @property
    def let_through(self) -> bool:
        """Whether a handler answered; also one that then missed what its method needs beside the name."""
        return self.reason is None or self.reason.spec.status is StatusCode.INVALID_ARGUMENT

    @property
    def names(self) -> set[str]:
        """The instances that the messages are about."""
        return {name for message in self.messages for name in _names(message)}

    @property
    def region_errors(self) -> dict[str, str]:
        """Reasons by region."""
        found = [getattr(message, "region_error", None) for message in self.messages]
        return {error.name: error.reason for error in found if error is not None and error.name}

    def values(self, about: str = "") -> dict[int, set[str]]:
        """Texts by class, of all messages or of those about one instance."""
        chosen = [message for message in self.messages if not about or about in _names(message)]
        values: dict[int, set[str]] = defaultdict(set)
        for message in chosen:
            for number, text in _texts(message):
                values[number].add(text)
        return values


async def call(channel: grpc.aio.Channel, method: MethodInfo, request: bytes, metadata: Metadata) -> Answer:
    """Make a call with an encoded request."""
    answer = Answer()
    kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
    started = kind(method.full_method, response_deserializer=method.response_type.FromString)(
        request, metadata=metadata, timeout=LASTING if method.lasting else 30
    )
    try:
        if method.server_streaming:
            async for message in started:
                answer.messages.append(message)
        else:
            answer.messages.append(await started)
    except grpc.aio.AioRpcError as error:
        if method.lasting and answer.messages and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return answer  # enough was heard
        answer.reason = error_from_rpc(error).reason
        sent = (error.code(), error.details(), await started.initial_metadata(), await started.trailing_metadata())
        answer.error = repr(sent).encode()
    return answer


def _names(message: Message) -> set[str]:
    own = getattr(message, "name", "")
    found = {own} if isinstance(own, str) and "/instances/" in own else set()
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None and not is_map(descriptor):
            for item in value if descriptor.is_repeated else [value]:
                found |= _names(item)
    return found


def _texts(message: Message) -> Iterator[tuple[int, str]]:
    for descriptor, value in message.ListFields():
        if is_map(descriptor) or is_value_type(descriptor):
            continue
        items = value if descriptor.is_repeated else [value]
        if descriptor.message_type is not None:
            for item in items:
                yield from _texts(item)
        elif descriptor.cpp_type == descriptor.CPPTYPE_STRING:
            for item in items:
                yield class_of(message, descriptor), str(item)
