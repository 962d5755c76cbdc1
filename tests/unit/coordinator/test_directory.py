from __future__ import annotations

import pytest

from libs.config import RegionConfig
from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName
from services.coordinator.directory import FleetDirectory
from storex.fleet.v1 import fleet_pb2

HERE, THERE = ResourceName("here"), ResourceName("there")


def region(name: str) -> RegionConfig:
    return RegionConfig(name=name, domain="gdpr", cloud="aws", environment="prod", shard=None, instances={})


@pytest.fixture
def directory() -> FleetDirectory:
    filled = FleetDirectory([region("here"), region("there")])
    filled.replace("here", [fleet_pb2.Instance(name="regions/here/instances/a", team="orders")])
    return filled


def test_an_instance_has_the_configurations_law_and_its_shards_team(directory: FleetDirectory) -> None:
    directory.replace(
        "here",
        [fleet_pb2.Instance(name="regions/here/instances/a", team="orders", domain="none", cloud="x", environment="y")],
    )
    found = directory.instance(ResourceName("here", "a"))
    assert found is not None
    assert (found.domain, found.cloud, found.environment, found.team) == ("gdpr", "aws", "prod", "orders")


@pytest.mark.parametrize(
    "name", ["regions/there/instances/a", "regions/-/instances/a", "regions/here", "a", "", "regions/here/instances/-"]
)
def test_a_shard_has_no_say_over_names_that_are_not_its_own(directory: FleetDirectory, name: str) -> None:
    directory.replace("here", [fleet_pb2.Instance(name=name, team="mine")])
    assert directory.within(ResourceName("here")) == []
    with pytest.raises(StorexError) as unread:
        directory.instance(ResourceName("there", "a"))
    assert unread.value.reason is Reason.SHARD_UNAVAILABLE


def test_an_unread_region_is_an_error_by_name_and_left_out_of_wildcards(directory: FleetDirectory) -> None:
    with pytest.raises(StorexError) as unread:
        directory.within(THERE)
    assert unread.value.reason is Reason.SHARD_UNAVAILABLE
    assert len(directory.within(ResourceName("-"))) == 1
    assert directory.within(ResourceName("there", "-")) == []


def test_what_is_gone_from_an_inventory_is_gone_and_a_silent_shard_keeps_its_own(directory: FleetDirectory) -> None:
    directory.mark_unreachable("here")
    assert directory.instance(ResourceName("here", "a")) is not None
    directory.replace("here", [])
    assert directory.instance(ResourceName("here", "a")) is None
    assert directory.within(HERE) == []


def test_a_region_that_is_not_configured_is_unknown(directory: FleetDirectory) -> None:
    assert not directory.knows_region("nowhere")
    assert directory.instance(ResourceName("nowhere", "a")) is None
    assert directory.within(ResourceName("nowhere")) == []
