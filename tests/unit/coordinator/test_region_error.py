from __future__ import annotations

import pytest

from libs.core.errors import Reason, StorexError
from libs.rpc.call import CallContext
from libs.rpc.methods import METHODS
from services.coordinator.fanout import region_error

CALL = CallContext(request_id="req_1", full_method="/s/M", method=None)


@pytest.mark.parametrize("info", [info for info in METHODS if info.wildcards], ids=lambda info: info.full_method)
@pytest.mark.parametrize("padding", [0, 90, 200, 20_000])
def test_the_bytes_are_a_response_of_every_method_that_takes_wildcards(info: object, padding: int) -> None:
    failure = StorexError(Reason.DATABASE_UNSUPPORTED, feature="x" * padding, retry_seconds=1.5)
    response = info.response_type.FromString(region_error(CALL, "eu-west-1", failure))  # type: ignore[attr-defined]
    error = response.region_error
    assert (error.name, error.reason, error.code) == ("regions/eu-west-1", "DATABASE_UNSUPPORTED", 9)
    assert error.message.endswith("x" * padding + ".")
    assert (error.retry_delay.seconds, error.retry_delay.nanos) == (1, 500_000_000)
    assert response.WhichOneof("result") == "region_error"


def test_without_a_sensible_retry_none_is_named() -> None:
    (info,) = [info for info in METHODS if info.full_method.endswith("/StreamInstances")]
    response = info.response_type.FromString(region_error(CALL, "r", StorexError(Reason.INTERNAL)))
    assert not response.region_error.HasField("retry_delay")  # type: ignore[attr-defined]
    assert "req_1" in response.region_error.message  # type: ignore[attr-defined]
