from __future__ import annotations

import pytest

from libs.sensitivity.paths import PathError, resolve_path
from storex.common.v1 import options_pb2
from storex.diagnostics.v1 import diagnostics_pb2


@pytest.fixture
def waits() -> diagnostics_pb2.GetLockWaitsResponse:
    response = diagnostics_pb2.GetLockWaitsResponse()
    response.observation.observed_at.FromJsonString("2026-11-22T10:00:00Z")
    holder = response.holders.add(longest_wait_seconds=3.5, kind=diagnostics_pb2.LOCK_KIND_ROW)
    holder.session.connection_id = 812
    holder.session.user = "payments"
    holder.session.statement.digest_text = "UPDATE t SET v = ?"
    return response


@pytest.mark.parametrize(
    ("path", "value", "sensitivity"),
    [
        ("holders[0].session.connection_id", "812", options_pb2.SENSITIVITY_PUBLIC),
        ("holders[0].session.user", "payments", options_pb2.SENSITIVITY_PRINCIPAL),
        ("holders[0].session.statement.digest_text", "UPDATE t SET v = ?", options_pb2.SENSITIVITY_SCHEMA),
        ("holders[0].longest_wait_seconds", "3.5", options_pb2.SENSITIVITY_PUBLIC),
        ("holders[0].blocked_sessions", "0", options_pb2.SENSITIVITY_PUBLIC),
        ("holders[0].kind", "LOCK_KIND_ROW", options_pb2.SENSITIVITY_PUBLIC),
        ("observation.observed_at", "2026-11-22T10:00:00Z", options_pb2.SENSITIVITY_PUBLIC),
    ],
)
def test_a_value_is_found_with_its_class(
    waits: diagnostics_pb2.GetLockWaitsResponse, path: str, value: str, sensitivity: int
) -> None:
    assert resolve_path(waits, path) == (value, sensitivity)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "holders",
        "holders[1].kind",
        "holders[-1].kind",
        "holders[²].kind",
        "holders[0].session",
        "holders[0].transaction.idle",
        "holders[0].session.connection_id.x",
        "holders[0].session.connection_id.",
        "holders[0]..kind",
        "holders[0][0].kind",
        "observation[0].name",
        "observation.observed_at.seconds",
        "DESCRIPTOR",
        "SerializeToString",
        "holders[0].kind" + "x" * 600,
    ],
)
def test_what_leads_to_no_value_is_an_error(waits: diagnostics_pb2.GetLockWaitsResponse, path: str) -> None:
    with pytest.raises(PathError):
        resolve_path(waits, path)


@pytest.mark.parametrize(
    ("word", "sensitivity"),
    [
        ("user", options_pb2.SENSITIVITY_PRINCIPAL),
        ("table", options_pb2.SENSITIVITY_SCHEMA),
        ("connection_id", options_pb2.SENSITIVITY_PUBLIC),
        ("USER", options_pb2.SENSITIVITY_CUSTOMER),
        ("nobody_knows", options_pb2.SENSITIVITY_CUSTOMER),
        ("unspecified", options_pb2.SENSITIVITY_CUSTOMER),
        ("", options_pb2.SENSITIVITY_CUSTOMER),
    ],
)
def test_an_entity_is_as_sensitive_as_its_type(word: str, sensitivity: int) -> None:
    response = diagnostics_pb2.GetHealthResponse()
    response.health.findings.add().entities.add(type=word, value="x")
    assert resolve_path(response, "health.findings[0].entities[0].value") == ("x", sensitivity)


def test_evidence_is_as_sensitive_as_it_says_and_unset_is_customer() -> None:
    response = diagnostics_pb2.GetHealthResponse()
    finding = response.health.findings.add()
    finding.evidence.add(value="x", value_class=options_pb2.SENSITIVITY_SCHEMA)
    finding.evidence.add(value="x")
    found = [resolve_path(response, f"health.findings[0].evidence[{n}].value")[1] for n in (0, 1)]
    assert found == [options_pb2.SENSITIVITY_SCHEMA, options_pb2.SENSITIVITY_CUSTOMER]


def test_a_map_is_read_by_key() -> None:
    response = diagnostics_pb2.GetHealthResponse()
    response.health.labels["service"] = "orders"
    assert resolve_path(response, "health.labels[service]") == ("orders", options_pb2.SENSITIVITY_PUBLIC)
    with pytest.raises(PathError):
        resolve_path(response, "health.labels[team]")
    assert list(response.health.labels) == ["service"], "looking must not add keys"


def test_the_error_does_not_hold_a_value(waits: diagnostics_pb2.GetLockWaitsResponse) -> None:
    with pytest.raises(PathError) as caught:
        resolve_path(waits, "holders[0].session.user.x")
    assert "payments" not in str(caught.value)
