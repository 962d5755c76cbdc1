"""What the coordinator knows of the fleet: configured regions, and the last inventory that each shard told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from libs.config import RegionConfig
from libs.core.errors import Reason, StorexError
from libs.core.names import WILDCARD, ResourceName, parse_name
from libs.core.resources import Resource
from storex.fleet.v1 import fleet_pb2


@dataclass(slots=True)
class RegionView:
    """A region as last seen. `read` is False until its shard has told its inventory once."""

    config: RegionConfig
    read: bool = False
    reachable: bool = False
    resources: Mapping[str, Resource] = field(default_factory=dict)
    instances: Mapping[str, fleet_pb2.Instance] = field(default_factory=dict)


class FleetDirectory:
    """Resources by name. Where a shard does not answer, its last inventory stays."""

    def __init__(self, regions: Iterable[RegionConfig]) -> None:
        self._regions = {region.name: RegionView(region) for region in regions}

    def instance(self, name: ResourceName) -> Resource | None:
        """The instance of that name, or None. Raises StorexError SHARD_UNAVAILABLE where nothing is known yet."""
        view = self._regions.get(name.region)
        if view is None:
            return None
        if not view.read:
            raise StorexError(Reason.SHARD_UNAVAILABLE)
        return view.resources.get(name.instance or "")

    def within(self, name: ResourceName) -> Sequence[Resource]:
        """Every known instance that the name covers.

        Raises StorexError SHARD_UNAVAILABLE for a single region of which nothing is known yet; a wildcard call goes on
        without it and tells of it in its answer.
        """
        if not name.is_wildcard and name.region in self._regions and not self._regions[name.region].read:
            raise StorexError(Reason.SHARD_UNAVAILABLE)
        return [
            resource
            for view in self.covered(name)
            for resource in view.resources.values()
            if name.covers(resource.name)
        ]

    def knows_region(self, region: str) -> bool:
        """Whether the configuration has that region."""
        return region in self._regions

    def covered(self, name: ResourceName) -> Sequence[RegionView]:
        """The regions that a name covers, in order of name."""
        if name.region != WILDCARD:
            return [self._regions[name.region]] if name.region in self._regions else []
        return [self._regions[region] for region in sorted(self._regions)]

    def replace(self, region: str, instances: Iterable[fleet_pb2.Instance]) -> None:
        """Take in an inventory that the region's shard told.

        The region's law, cloud and environment are the configuration's, and names of other regions are left out: a
        shard has no say over what is not its own.
        """
        view = self._regions[region]
        known: dict[str, fleet_pb2.Instance] = {}
        for instance in instances:
            name = _own_instance(region, instance.name)
            if name:
                known[name] = instance
        view.resources = {name: _resource(view.config, name, instance.team) for name, instance in known.items()}
        view.instances = known
        view.read = view.reachable = True

    def mark_unreachable(self, region: str) -> None:
        """Note that the region's shard did not answer."""
        self._regions[region].reachable = False


def _own_instance(region: str, text: str) -> str | None:
    try:
        name = parse_name(text)
    except StorexError:
        return None
    return name.instance if name.region == region else None


def _resource(config: RegionConfig, instance: str, team: str) -> Resource:
    return Resource(
        region=config.name,
        domain=config.domain,
        cloud=config.cloud,
        environment=config.environment,
        team=team,
        instance=instance,
    )
