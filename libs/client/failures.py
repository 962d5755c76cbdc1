"""What a failed call comes to for a caller: the server's reason, its sentence, and when a retry can help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

UNREACHABLE = "COORDINATOR_UNREACHABLE"
"""The reason of a call that no server answered."""

_DOMAIN = "storex"
_DETAILS_KEY = "grpc-status-details-bin"


class CallError(Exception):
    """A call that failed.

    `reason` is the error catalogue's (kept as text: a newer server may know more of them), `status` the gRPC status
    name, `message` a sentence with what to do next, `retry_seconds` when trying again can help (None: it cannot).
    """

    def __init__(
        self, reason: str, status: str, message: str, *, retry_seconds: float | None = None, request_id: str = ""
    ) -> None:
        self.reason = reason
        self.status = status
        self.message = message
        self.retry_seconds = retry_seconds
        self.request_id = request_id
        super().__init__(message)


class Answer(Protocol):
    """The part of a failed call that both of gRPC's APIs share."""

    def code(self) -> grpc.StatusCode:
        """The status."""

    def details(self) -> str | None:
        """The status message."""

    def trailing_metadata(self) -> object:
        """Pairs of key and value, or None."""


def call_error(answer: Answer, address: str) -> CallError:
    """Read a failed call to `address`."""
    code = answer.code()
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in _details(answer.trailing_metadata()):
        detail.Unpack(info)
        detail.Unpack(retry)
    if info.domain != _DOMAIN:
        return _foreign(code, address)
    delay = retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    return CallError(
        info.reason,
        code.name,
        answer.details() or info.reason,
        retry_seconds=delay,
        request_id=info.metadata.get("request_id", ""),
    )


def _foreign(code: grpc.StatusCode, address: str) -> CallError:
    if code is grpc.StatusCode.UNAVAILABLE:
        message = f"No coordinator answers at {address}. Check that it runs, and try again."
        return CallError(UNREACHABLE, code.name, message, retry_seconds=1.0)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return CallError(code.name, code.name, "The call's deadline passed. Try again with a longer one.")
    if code is grpc.StatusCode.CANCELLED:
        return CallError(code.name, code.name, "The call was cancelled.")
    return CallError(code.name, code.name, f"The server at {address} answered {code.name}, which Storex does not send.")


def _details(metadata: object) -> list[Any]:
    try:
        for key, value in metadata if isinstance(metadata, Iterable) else ():
            if key == _DETAILS_KEY and isinstance(value, bytes):
                return list(status_pb2.Status.FromString(value).details)
    except DecodeError:
        return []
    return []
