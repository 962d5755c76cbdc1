from __future__ import annotations

import pytest

from libs.client import Listing, TargetError, UnlistedError, resolve_instance, resolve_target
from libs.client.targets import near_matches
from storex.common.v1.error_pb2 import RegionError
from storex.fleet.v1.fleet_pb2 import Health, Instance, Region, StreamInstancesResponse

NAMES = ["regions/eu/instances/orders-1", "regions/us/instances/orders-1", "regions/us/instances/payments-1"]
LISTING = Listing(
    regions=[Region(name="regions/eu"), Region(name="regions/us")], instances=[Instance(name=name) for name in NAMES]
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("regions/eu", "regions/eu"),
        ("regions/xx/instances/not-listed", "regions/xx/instances/not-listed"),
        ("service:orders", "services/orders"),
        ("us", "regions/us"),
        ("payments-1", "regions/us/instances/payments-1"),
    ],
)
def test_a_target_is_found(text: str, name: str) -> None:
    assert resolve_target(text, LISTING) == name


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("orders-1", NAMES[:2]),
        ("payment-1", NAMES[2:]),
        ("Payments-1", NAMES[2:]),
        ("quite-another", []),
        ("regions/EU", []),
        ("regions/-", []),
        ("service:", []),
        ("", []),
        ("\x1b[2J", []),
    ],
)
def test_what_stands_for_nothing_or_too_much_offers_what_the_caller_may_list(text: str, candidates: list[str]) -> None:
    with pytest.raises(TargetError) as caught:
        resolve_target(text, LISTING)
    assert caught.value.candidates == candidates


def test_an_instance_is_wanted_where_a_region_will_not_do() -> None:
    assert resolve_instance("payments-1", LISTING) == NAMES[2]
    assert resolve_instance(NAMES[0], Listing()) == NAMES[0]
    with pytest.raises(TargetError) as caught:
        resolve_instance("regions/us", LISTING)
    assert caught.value.candidates == NAMES[1:]
    with pytest.raises(TargetError):
        resolve_instance("us", LISTING)


def test_near_matches_of_a_full_name_come_from_the_listing_alone() -> None:
    assert near_matches("regions/us/instances/payment-1", LISTING) == [NAMES[2]]
    assert near_matches("regions/us/instances/payment-1", Listing()) == []


def test_a_listing_takes_instances_and_dead_regions() -> None:
    listing = Listing()
    listing.add(StreamInstancesResponse(instance=Instance(name=NAMES[0])))
    listing.add(StreamInstancesResponse(region_error=RegionError(name="regions/us")))
    listing.add(StreamInstancesResponse())
    assert [instance.name for instance in listing.instances] == NAMES[:1]
    assert [error.name for error in listing.errors] == ["regions/us"]


def during_an_outage() -> Listing:
    regions = [Region(name=f"regions/{name}", health=Health.HEALTH_UP) for name in ("eu", "us")]
    listing = Listing(regions=regions, instances=[Instance(name=NAMES[0])])
    listing.add(StreamInstancesResponse(region_error=RegionError(name="regions/us", reason="SHARD_UNAVAILABLE")))
    return listing


def test_a_region_that_does_not_answer_is_down_whatever_was_known_before() -> None:
    eu, us = during_an_outage().regions
    assert (eu.health, eu.reason) == (Health.HEALTH_UP, "")
    assert (us.health, us.reason) == (Health.HEALTH_DOWN, "SHARD_UNAVAILABLE")


def test_what_is_not_found_while_a_region_is_missing_may_be_there() -> None:
    listing = during_an_outage()
    assert resolve_instance("orders-1", listing) == NAMES[0]
    for resolve in (resolve_target, resolve_instance):
        with pytest.raises(UnlistedError, match="regions/us could not be listed now") as caught:
            resolve("order-2", listing)
        assert caught.value.candidates == NAMES[:1]
