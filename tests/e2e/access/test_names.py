"""Names with tricks in them, and the answers about what is hidden and what is not there."""

from __future__ import annotations

import pytest

from libs.core.errors import Reason
from libs.rpc.channels import open_channel
from libs.rpc.methods import METHODS, SCOPE_REGION, MethodInfo
from tests.e2e.access.conftest import AccessMesh
from tests.e2e.access.expected import INSTANCES, PEOPLE
from tests.e2e.access.seen import call

pytestmark = pytest.mark.engine

REGIONAL = [method for method in METHODS if method.scope == SCOPE_REGION]
UNARY = next(method for method in REGIONAL if method.full_method.endswith("/GetOverview"))
STREAM = next(method for method in REGIONAL if method.full_method.endswith("/StreamHealth"))
OWN, HIDDEN = INSTANCES["payments-1"], INSTANCES["orders-1"]
OLAF = PEOPLE["payments on-call"]
REQUEST_ID = "0123456789abcdef0123456789abcdef"

TRICKS = {
    "a step up": "regions/eu-west-1/instances/../instances/orders-1",
    "a step up at the end": "regions/eu-west-1/instances/payments-1/..",
    "two dots": "regions/eu-west-1/instances/..",
    "one dot": "regions/eu-west-1/instances/.",
    "dots within": "regions/eu-west-1/instances/payments..1",
    "a slash in front": "/" + OWN,
    "a slash at the end": OWN + "/",
    "an empty segment": "regions/eu-west-1/instances/",
    "an empty region": "regions//instances/payments-1",
    "an empty collection": "regions/eu-west-1//payments-1",
    "two names": f"{OWN}/{HIDDEN}",
    "a full-width hyphen": "regions/eu-west-1/instances/payments\uff0d1",
    "a Cyrillic letter": "regions/eu-west-1/instances/p\u0430yments-1",
    "a full-width digit": "regions/eu-west-1/instances/payments-\uff11",
    "an Arabic digit": "regions/eu-west-1/instances/payments-\u0661",
    "a joiner": "regions/eu-west-1/instances/pay\u200dments-1",
    "a combining mark": "regions/eu-west-1/instances/payments-1\u0301",
    "upper case": OWN.upper(),
    "a capital": "regions/eu-west-1/instances/Payments-1",
    "an escaped slash": "regions/eu-west-1/instances%2Fpayments-1",
    "escaped dots": "regions/eu-west-1/instances/%2e%2e",
    "a null": OWN + "\x00",
    "a line end": OWN + "\n",
    "a blank": " " + OWN,
    "a star": "regions/*/instances/*",
    "a pattern": "regions/eu-west-1/instances/pay*",
    "a hyphen and more": "regions/eu-west-1/instances/-1",
    "a wildcard as a part": "regions/eu-west-1/instances/payments-",
    "a region alone with a slash": "regions/",
    "another collection": "zones/eu-west-1/instances/payments-1",
    "nothing": "",
    "a very long name": "regions/eu-west-1/instances/" + "a" * 300,
}
WILDCARDS = ("regions/-", "regions/-/instances/payments-1", "regions/eu-west-1/instances/-")

LONG_LENGTH = bytes([0x80 | len(OWN), 0x00])
"""The length of the name, padded to two bytes."""


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def encodings() -> dict[str, bytes]:
    own, hidden = field(1, OWN.encode()), field(1, HIDDEN.encode())
    return {
        "two names, the own one last": hidden + own,
        "two names, the own one first": own + hidden,
        "the same name twice": own + own,
        "a second empty name": own + field(1, b""),
        "a padded length": b"\x0a" + LONG_LENGTH + OWN.encode(),
        "a padded tag": b"\x8a\x00" + own[1:],
        "no text": field(1, OWN.encode() + b"\xff"),
        "a surrogate": field(1, b"regions/eu-west-1/instances/\xed\xa0\x80"),
        "a cut message": own[:-3],
        "groups without end": own + b"\xf3\x07" * 200,
        "groups deeper than any limit": own + b"\xf3\x07" * 5000 + b"\xf4\x07" * 5000,
        "field number 0": own + b"\x02\x00",
    }


@pytest.mark.parametrize("method", [UNARY, STREAM], ids=lambda method: method.full_method.rpartition("/")[2])
async def test_a_name_with_a_trick_is_refused_alike_to_everybody(mesh: AccessMesh, method: MethodInfo) -> None:
    async with open_channel(mesh.addresses["coordinator"]) as channel:
        for trick, name in TRICKS.items():
            errors = set()
            for person in ("dba", "payments on-call", "dba by agent"):
                metadata = mesh.metadata(PEOPLE[person], request_id=REQUEST_ID)
                answer = await call(channel, method, method.request_type(name=name).SerializeToString(), metadata)
                assert answer.reason is Reason.NAME_INVALID, f"{person}: {trick}"
                errors.add(answer.error)
            assert len(errors) == 1, trick


async def test_a_wildcard_has_no_place_in_a_method_of_one_resource(mesh: AccessMesh) -> None:
    async with open_channel(mesh.addresses["coordinator"]) as channel:
        for method in REGIONAL:
            for name in () if method.wildcards else WILDCARDS:
                request = method.request_type(name=name).SerializeToString()
                answer = await call(channel, method, request, mesh.metadata(PEOPLE["dba"]))
                assert answer.reason is Reason.WILDCARD_NOT_ALLOWED, f"{method.full_method} {name}"


@pytest.mark.parametrize("door", ["coordinator", "shard-eu-west-1"])
async def test_bytes_that_can_be_read_in_two_ways_reach_no_handler(mesh: AccessMesh, door: str) -> None:
    async with open_channel(mesh.addresses[door]) as channel:
        for method in (UNARY, STREAM):
            for trick, request in encodings().items():
                metadata = mesh.metadata(OLAF, relayed=door != "coordinator")
                answer = await call(channel, method, request, metadata)
                assert answer.reason in (Reason.REQUEST_MALFORMED, Reason.NAME_INVALID), f"{method.full_method} {trick}"


async def test_a_request_beyond_the_limit_is_told_its_limit_and_a_huge_one_is_cut_off(mesh: AccessMesh) -> None:
    own = UNARY.request_type(name=OWN).SerializeToString()
    async with open_channel(mesh.addresses["coordinator"]) as channel:
        for size, reason in ((300_000, Reason.REQUEST_TOO_LARGE), (5_000_000, Reason.RATE_LIMITED)):
            length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21])
            unknown_field = b"\xfa\x07" + length + bytes(size)
            answer = await call(channel, UNARY, own + unknown_field, mesh.metadata(OLAF))
            assert answer.reason is reason


@pytest.mark.parametrize("door", ["coordinator", "shard-eu-west-1"])
async def test_what_is_hidden_and_what_is_not_there_get_the_same_bytes(mesh: AccessMesh, door: str) -> None:
    hidden = (HIDDEN, INSTANCES["users-1"], "regions/us-east-1", INSTANCES["orders-2"])
    absent = ("regions/eu-west-1/instances/absent-1", "regions/absent/instances/orders-1", "regions/absent")
    async with open_channel(mesh.addresses[door]) as channel:
        for person in ("payments on-call", "on-call by agent", "ended contractor"):
            for method in REGIONAL:
                metadata = mesh.metadata(PEOPLE[person], relayed=door != "coordinator", request_id=REQUEST_ID)
                errors = {
                    (await call(channel, method, method.request_type(name=name).SerializeToString(), metadata)).error
                    for name in (*hidden, *absent)
                }
                assert len(errors) == 1, f"{person} {method.full_method}"
                assert errors != {b""}


async def test_what_a_region_hides_by_itself_looks_like_what_is_not_there(mesh: AccessMesh) -> None:
    metadata = mesh.metadata(PEOPLE["payments viewer"], request_id=REQUEST_ID)
    async with open_channel(mesh.addresses["coordinator"]) as channel:
        for method in REGIONAL:
            if method.permission == "diagnostics.read":
                there, not_there = [
                    await call(channel, method, method.request_type(name=name).SerializeToString(), metadata)
                    for name in (INSTANCES["payments-2"], "regions/eu-central-1/instances/absent-1")
                ]
                assert there.reason is Reason.RESOURCE_NOT_FOUND
                assert there.error == not_there.error, method.full_method
