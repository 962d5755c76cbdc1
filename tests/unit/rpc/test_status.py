from __future__ import annotations

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from libs.core.errors import Reason, StatusCode, StorexError
from libs.rpc.status import DETAILS_KEY, error_from_rpc, status_of


def answered(code: grpc.StatusCode, details: bytes | None = None, message: str = "") -> grpc.aio.AioRpcError:
    trailing = grpc.aio.Metadata(*([(DETAILS_KEY, details)] if details is not None else []))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, message)


def details(reason: str, domain: str = "storex", metadata: dict[str, str] | None = None) -> bytes:
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain, metadata=metadata))
    encoded: bytes = status_pb2.Status(code=5, message="a peer's words", details=[packed]).SerializeToString()
    return encoded


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_maps_and_comes_back_without_its_detail(reason: Reason) -> None:
    error = StorexError(reason, detail="secret-canary", field="name")
    code, message, trailing = status_of(error, "req_1")
    assert code.value[0] == int(reason.spec.status)
    assert "secret-canary" not in message + repr(trailing)
    back = error_from_rpc(answered(code, trailing[0][1], message))
    assert back.reason is reason
    assert back.retry_seconds == reason.spec.retry_seconds
    assert back.metadata == {"field": "name", "request_id": "req_1"}


def test_every_status_code_of_the_catalogue_exists_in_grpc() -> None:
    assert {code.value for code in StatusCode} <= {code.value[0] for code in grpc.StatusCode}


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNKNOWN, Reason.INTERNAL),
        (grpc.StatusCode.NOT_FOUND, Reason.INTERNAL),
        (grpc.StatusCode.PERMISSION_DENIED, Reason.INTERNAL),
        (grpc.StatusCode.DATA_LOSS, Reason.INTERNAL),
        (grpc.StatusCode.CANCELLED, Reason.SHARD_UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.UNAVAILABLE, Reason.SHARD_UNAVAILABLE),
    ],
)
def test_what_is_not_storexs_own_is_mapped_by_its_code_alone(code: grpc.StatusCode, reason: Reason) -> None:
    for extra in (None, b"\xff\xff", details("RESOURCE_NOT_FOUND", domain="evil.example")):
        error = error_from_rpc(answered(code, extra, "canary"), unavailable=Reason.SHARD_UNAVAILABLE)
        assert error.reason is reason
        assert "canary" not in error.public_message + error.detail


def test_a_newer_peers_reason_keeps_its_meaning() -> None:
    error = error_from_rpc(answered(grpc.StatusCode.NOT_FOUND, details("SNAPSHOT_NOT_FOUND")))
    assert error.reason is Reason.RESOURCE_NOT_FOUND


def test_a_peers_metadata_is_bounded_and_cannot_pose_as_anything_else() -> None:
    hostile = {"detail": "x", "reason": "y", "self": "z", "retry_seconds": "9", "field": "a" * 10_000}
    many = {f"key{number}": "v" for number in range(100)}
    error = error_from_rpc(answered(grpc.StatusCode.INVALID_ARGUMENT, details("REQUEST_INVALID", metadata=hostile)))
    assert (error.reason, error.detail, error.retry_seconds) == (Reason.REQUEST_INVALID, "", None)
    assert len(error.metadata["field"]) == 512
    assert len(error_from_rpc(answered(grpc.StatusCode.NOT_FOUND, details("INTERNAL", metadata=many))).metadata) == 16
