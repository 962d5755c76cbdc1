"""Catalogue errors as gRPC statuses, and back.

A status carries `google.rpc.ErrorInfo` (reason, domain `storex`, metadata) and `RetryInfo` where a retry helps. The
text of a peer is never passed on: its error is rebuilt from the catalogue by its reason, and one that is not Storex's
own is mapped by its code alone.
"""

from __future__ import annotations

from collections.abc import Iterable

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from libs.core.errors import Reason, StatusCode, StorexError

DOMAIN = "storex"
DETAILS_KEY = "grpc-status-details-bin"

_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

_MAPPED = {
    StatusCode.CANCELLED: Reason.CANCELLED,
    StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    StatusCode.NOT_FOUND: Reason.RESOURCE_NOT_FOUND,
    StatusCode.PERMISSION_DENIED: Reason.RPC_NOT_PERMITTED,
    StatusCode.RESOURCE_EXHAUSTED: Reason.RATE_LIMITED,
    StatusCode.UNIMPLEMENTED: Reason.UNIMPLEMENTED,
    StatusCode.UNAVAILABLE: Reason.NOT_READY,
    StatusCode.UNAUTHENTICATED: Reason.TOKEN_INVALID,
}
_MAPPED_UNTRUSTED = frozenset(
    {
        StatusCode.DEADLINE_EXCEEDED,
        StatusCode.RESOURCE_EXHAUSTED,
        StatusCode.UNIMPLEMENTED,
    }
)
"""Codes that gRPC itself answers with; any other one without Storex's details is a fault of the peer."""
_GONE = frozenset({StatusCode.UNAVAILABLE, StatusCode.CANCELLED})
"""Codes of a peer that is away, or that went away during the call: a caller who cancels sees no status at all."""
_MAX_KEYS, _MAX_VALUE = 16, 512
"""How much of a peer's error metadata is passed on."""


def grpc_code(reason: Reason) -> grpc.StatusCode:
    """The status code that a reason is answered with."""
    return _CODES[int(reason.spec.status)]


def status_of(error: StorexError, request_id: str) -> tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]:
    """Code, message and trailing metadata for an error; `detail` is left behind."""
    metadata = {**error.metadata, "request_id": request_id}
    message = _rebuilt(error.reason, metadata).public_message
    info = error_details_pb2.ErrorInfo(reason=error.reason.name, domain=DOMAIN, metadata=metadata)
    details = [_packed(info)]
    if error.retry_seconds is not None:
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=duration(error.retry_seconds))))
    status = status_pb2.Status(code=int(error.reason.spec.status), message=message, details=details)
    return grpc_code(error.reason), message, ((DETAILS_KEY, status.SerializeToString()),)


def duration(seconds: float) -> duration_pb2.Duration:
    """A protobuf Duration of so many seconds."""
    whole = int(seconds)
    return duration_pb2.Duration(seconds=whole, nanos=round((seconds - whole) * 1e9))


def error_from_rpc(error: grpc.aio.AioRpcError, *, unavailable: Reason = Reason.NOT_READY) -> StorexError:
    """The catalogue error behind a failed call.

    `unavailable` is the reason for a peer that could not be reached at all.
    """
    code = _status_code(error.code())
    status = _storex_status(error.trailing_metadata())
    if status is None:
        mapped = _MAPPED[code] if code in _MAPPED_UNTRUSTED else Reason.INTERNAL
        reason = unavailable if code in _GONE else mapped
        return StorexError(reason, detail=f"the peer answered {error.code().name}")
    info, retry_seconds = status
    try:
        reason = Reason[info.reason]
    except KeyError:
        # A peer that is one version ahead may know reasons that we do not; its code still tells the caller what to do.
        reason = _MAPPED.get(code, Reason.INTERNAL)
    rebuilt = _rebuilt(reason, {key: value[:_MAX_VALUE] for key, value in list(info.metadata.items())[:_MAX_KEYS]})
    rebuilt.retry_seconds = retry_seconds
    return rebuilt


def _rebuilt(reason: Reason, metadata: dict[str, str]) -> StorexError:
    # Not through keyword arguments: the keys may come from a peer, and one of them could be `detail`.
    error = StorexError(reason)
    error.metadata = metadata
    return error


def _status_code(code: grpc.StatusCode) -> StatusCode:
    number = code.value[0]
    return StatusCode(number) if number in StatusCode.__members__.values() else StatusCode.INTERNAL


def _storex_status(
    metadata: Iterable[tuple[str, object]] | None,
) -> tuple[error_details_pb2.ErrorInfo, float | None] | None:
    raw = next((value for key, value in metadata or () if key == DETAILS_KEY), None)
    if not isinstance(raw, bytes):
        return None
    try:
        status = status_pb2.Status.FromString(raw)
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        found = any(detail.Unpack(info) for detail in status.details)
        delayed = any(detail.Unpack(retry) for detail in status.details)
    except DecodeError:
        return None
    if not found or info.domain != DOMAIN:
        return None
    return info, retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9 if delayed else None


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
