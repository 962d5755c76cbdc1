"""`storex fleet`: the regions and instances that the caller may see, and how they are."""

from __future__ import annotations

from libs.cli.output import Output, proto_json, table_of
from libs.cli.session import FileOption, JsonOption, StateDirOption, UserOption, connect
from libs.client import Listing
from storex.fleet.v1.fleet_pb2 import Health, Instance, Region, Role

_STYLES = {"up": "green", "down": "red", "degraded": "yellow"}


def fleet(
    file: FileOption = None, state_dir: StateDirOption = None, user: UserOption = "admin", as_json: JsonOption = False
) -> None:
    """List regions and instances with their health."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user) as client:
        listing = client.listing()
    listing.regions.sort(key=lambda region: region.name)
    listing.instances.sort(key=lambda instance: instance.name)
    if as_json:
        output.json(
            {
                "regions": [proto_json(region) for region in listing.regions],
                "instances": [proto_json(instance) for instance in listing.instances],
                "region_errors": [proto_json(error) for error in listing.errors],
            }
        )
    else:
        _show(output, listing)


def _show(output: Output, listing: Listing) -> None:
    regions = ("region", "domain", "cloud", "environment", "health", "instances", "reason")
    instances = ("instance", "team", "labels", "engine", "role", "health", "reason")
    output.show(table_of(regions, [_region_row(region) for region in listing.regions], _STYLES), "")
    output.show(table_of(instances, [_instance_row(instance) for instance in listing.instances], _STYLES))
    for error in listing.errors:
        output.note(f"{error.name}: {error.message}", "yellow")


def _region_row(region: Region) -> tuple[str, ...]:
    return (
        region.name,
        region.domain,
        region.cloud,
        region.environment,
        _word(Health.Name(region.health), "HEALTH_"),
        str(region.instance_count),
        region.reason,
    )


def _instance_row(instance: Instance) -> tuple[str, ...]:
    return (
        instance.name,
        instance.team,
        " ".join(f"{key}={value}" for key, value in sorted(instance.labels.items())),
        f"{instance.engine} {instance.version}".strip(),
        _word(Role.Name(instance.role), "ROLE_"),
        _word(Health.Name(instance.health), "HEALTH_"),
        instance.reason,
    )


def _word(name: str, prefix: str) -> str:
    word = name.removeprefix(prefix).lower()
    return "" if word == "unspecified" else word
