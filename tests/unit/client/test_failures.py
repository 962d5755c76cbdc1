from __future__ import annotations

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from libs.client.failures import UNREACHABLE, call_error


class Failed:
    """A failed call, as both of gRPC's APIs present one."""

    def __init__(self, code: grpc.StatusCode, details: str, metadata: object = None) -> None:
        self._code, self._details, self._metadata = code, details, metadata

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> object:
        return self._metadata


def trailer(domain: str, reason: str, retry: Duration | None = None) -> object:
    details = []
    info = error_details_pb2.ErrorInfo(domain=domain, reason=reason, metadata={"request_id": "req_12345678"})
    for message in (info, error_details_pb2.RetryInfo(retry_delay=retry) if retry else None):
        if message is not None:
            packed = Any()
            packed.Pack(message)
            details.append(packed)
    return (("other", "x"), ("grpc-status-details-bin", status_pb2.Status(details=details).SerializeToString()))


def test_the_servers_reason_sentence_and_delay_are_kept() -> None:
    retry = Duration(seconds=1, nanos=500_000_000)
    answer = Failed(grpc.StatusCode.UNAVAILABLE, "Wait.", trailer("storex", "SHARD_UNAVAILABLE", retry))
    error = call_error(answer, "a:1")
    assert (error.reason, error.status, error.message) == ("SHARD_UNAVAILABLE", "UNAVAILABLE", "Wait.")
    assert (error.retry_seconds, error.request_id) == (1.5, "req_12345678")


def test_a_reason_that_this_version_does_not_know_is_kept_too() -> None:
    error = call_error(Failed(grpc.StatusCode.INTERNAL, "New.", trailer("storex", "FROM_THE_FUTURE")), "a:1")
    assert (error.reason, error.message, error.retry_seconds) == ("FROM_THE_FUTURE", "New.", None)


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        (),
        (("grpc-status-details-bin", b"\xff\xff"),),
        (("grpc-status-details-bin", "text"),),
        trailer("elsewhere", "X"),
    ],
)
def test_text_that_is_not_storexs_own_is_not_shown(metadata: object) -> None:
    unreachable = call_error(Failed(grpc.StatusCode.UNAVAILABLE, "raw secret", metadata), "a:1")
    assert (unreachable.reason, unreachable.retry_seconds) == (UNREACHABLE, 1.0)
    unknown = call_error(Failed(grpc.StatusCode.UNKNOWN, "raw secret", metadata), "a:1")
    late = call_error(Failed(grpc.StatusCode.DEADLINE_EXCEEDED, "raw secret", metadata), "a:1")
    ended = call_error(Failed(grpc.StatusCode.CANCELLED, "raw secret", metadata), "a:1")
    assert not any("secret" in error.message for error in (unreachable, unknown, late, ended))
