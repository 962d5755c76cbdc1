"""Clocks that disagree, tokens of others, statements that are too long: a clear error or a safe drop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest

from libs.core.errors import Reason
from libs.identity import AUDIENCE, ISSUER, LocalIssuer
from libs.identity.verifier import CLOCK_LEEWAY_SECONDS
from libs.lab.fleet import LabFleet
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_REGION
from libs.sensitivity.classes import SCHEMA
from tests.e2e.access.conftest import AccessMesh
from tests.e2e.access.expected import INSTANCES, PEOPLE
from tests.e2e.access.seen import call

pytestmark = pytest.mark.engine

OWN = INSTANCES["payments-1"]
OVERVIEW = next(method for method in METHODS if method.full_method.endswith("/GetOverview"))
MARK = "4929-half-a-statement"


def token_at(issuer: LocalIssuer, issued: float, ends: float) -> str:
    """A token of the mesh's own key whose times, in seconds from now, are those of an issuer with another clock."""
    genuine = issuer.issue_user("olaf", ("payments",), ("on-call",))
    key = (Path(issuer.jwks_path).parent / "key.pem").read_bytes()
    now = time.time()
    claims: dict[str, Any] = jwt.decode(genuine, options={"verify_signature": False})
    claims |= {"iat": now + issued, "nbf": now + issued, "exp": now + ends, "iss": ISSUER, "aud": AUDIENCE}
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": jwt.get_unverified_header(genuine)["kid"]})


@pytest.mark.parametrize(
    ("issued", "ends", "expected"),
    [
        (0.0, 60.0, None),
        (CLOCK_LEEWAY_SECONDS - 5, 60.0, None),
        (CLOCK_LEEWAY_SECONDS + 30, 120.0, Reason.TOKEN_INVALID),
        (-60.0, -1.0, Reason.TOKEN_EXPIRED),
        (-3600.0, 30.0, None),
    ],
)
async def test_an_issuers_clock_may_be_ahead_but_an_end_is_an_end(
    mesh: AccessMesh, issued: float, ends: float, expected: Reason | None
) -> None:
    request = OVERVIEW.request_type(name=OWN).SerializeToString()
    for door in ("coordinator", "shard-eu-west-1"):
        metadata = (("authorization", f"Bearer {token_at(mesh.issuer, issued, ends)}"),)
        relay = (("x-storex-relay", mesh.issuer.issue_service("coordinator")),) if door != "coordinator" else ()
        async with open_channel(mesh.addresses[door]) as channel:
            answer = await call(channel, OVERVIEW, request, metadata + relay)
        assert answer.reason is expected, door


async def test_nobody_reaches_a_shard_past_the_coordinator(mesh: AccessMesh) -> None:
    request = OVERVIEW.request_type(name=OWN).SerializeToString()
    async with open_channel(mesh.addresses["shard-eu-west-1"]) as channel:
        for person in ("dba", "payments on-call"):
            assert (
                await call(channel, OVERVIEW, request, mesh.metadata(PEOPLE[person]))
            ).reason is Reason.TOKEN_MISSING
        for relay in ("agent", "coordinator "):
            proof = (("x-storex-relay", mesh.issuer.issue_service(relay.strip())),)
            forged = (*mesh.metadata(PEOPLE["dba"]), *proof, *proof[: relay.endswith(" ")])
            assert (await call(channel, OVERVIEW, request, forged)).reason is Reason.TOKEN_INVALID


@contextmanager
def running_statement(fleet: LabFleet, instance: str, statement: str) -> Iterator[None]:
    """The statement under way in a connection of the application, ended with the block."""
    engine = fleet.instances[instance].engine
    running = threading.Thread(target=engine.execute, args=(statement,))
    running.start()
    try:
        deadline = time.monotonic() + 20
        while not engine.execute("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(6)%'"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        running.join()


@pytest.mark.slow
async def test_five_megabytes_of_a_statement_are_cut_short_and_quote_nothing(fleet: LabFleet, mesh: AccessMesh) -> None:
    quoted = f"'{MARK} " * 10
    statement = "SELECT SLEEP(6), '" + (quoted.replace("'", "''") * (5_000_000 // len(quoted))) + "' /* " + MARK
    with running_statement(fleet, "payments-1", statement + " */"):
        async with open_channel(mesh.addresses["coordinator"]) as channel:
            for method in (method for method in METHODS if method.scope == SCOPE_REGION):
                request = method.request_type(name=OWN).SerializeToString()
                started = time.monotonic()
                answer = await call(channel, method, request, mesh.metadata(PEOPLE["dba"]))
                sent = b"".join(message.SerializeToString() for message in answer.messages)
                assert answer.let_through, method.full_method
                assert MARK.encode() not in sent, method.full_method
                assert len(sent) < 2_000_000, method.full_method
                assert time.monotonic() - started < 5, method.full_method
                if method.full_method.endswith("/ListProcesses"):
                    assert any(text.endswith("SLEEP(?), ? ...") for text in answer.values()[SCHEMA]), (
                        "the statement was not seen"
                    )
    for name, log in mesh.logs.items():
        assert MARK not in log.read_text(), name
