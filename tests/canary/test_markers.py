"""The search can find: each form of a canary, cut off or not, and not what only looks like one."""

from __future__ import annotations

import base64
import json

import pytest

from libs.sensitivity.classes import CUSTOMER, PRINCIPAL, SCHEMA
from storex.diagnostics.v1 import diagnostics_pb2
from tests.canary.markers import CLIENT_ADDRESS, NUMBER, customer, principal, schema, seen, sightings

LEAK = customer("row")


@pytest.mark.parametrize(
    "data",
    [
        LEAK.encode(),
        LEAK[:8].encode(),
        LEAK.upper().encode(),
        f"Duplicate entry '{LEAK}' for key".encode(),
        LEAK.encode().hex().encode(),
        LEAK.encode().hex().upper().encode(),
        LEAK.upper().encode().hex().encode(),
        f"X'{LEAK.encode().hex()[:16]}'".encode(),
        LEAK.encode("utf-16-le"),
        "".join(f"{byte:08b}" for byte in LEAK.encode()).encode(),
        LEAK[::-1].encode(),
        str(NUMBER).encode(),
        f"{NUMBER / 1000:.3f}".encode(),
        hex(NUMBER).encode(),
        diagnostics_pb2.GetOverviewResponse(threads_running=NUMBER).SerializeToString(),
        diagnostics_pb2.GetOverviewResponse(queries_per_second=float(NUMBER)).SerializeToString(),
        json.dumps({"note": LEAK}).encode(),
    ],
)
def test_a_canary_is_found_in_every_form(data: bytes) -> None:
    assert seen(b"before " + data + b" after", CUSTOMER)


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "abcd"])
@pytest.mark.parametrize("length", [8, 11, 40])
def test_base64_is_found_at_every_alignment(before: str, length: int) -> None:
    text = (before + (LEAK + "x" * 40)[:length]).encode()
    assert seen(base64.b64encode(text), CUSTOMER)
    assert seen(base64.urlsafe_b64encode(text), CUSTOMER)


def test_a_leaky_message_is_caught_with_its_class() -> None:
    leaky = diagnostics_pb2.ListProcessesResponse()
    session = leaky.processes.add(user=principal("user"), host=CLIENT_ADDRESS, state=f"executing {LEAK}")
    session.statement.digest_text = f"SELECT * FROM {schema('table')} WHERE note = ?"
    found = sightings(leaky.SerializeToString())
    assert {sighting.sensitivity for sighting in found} == {CUSTOMER, PRINCIPAL, SCHEMA}
    assert LEAK in next(sighting.text for sighting in found if sighting.sensitivity == CUSTOMER)


def test_nothing_is_found_where_nothing_is() -> None:
    assert not sightings(bytes(range(256)) * 64 + b"an ordinary answer, 7391, 127.93.217.16, prn_0123456789ab")
