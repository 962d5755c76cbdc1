"""The regions that a caller may know of, as far as they may see into them."""

from __future__ import annotations

from collections.abc import Iterable

from libs.core.errors import Reason
from libs.core.names import WILDCARD, ResourceName
from libs.identity import Caller
from libs.rpc.interceptors import Policy
from services.coordinator.directory import FleetDirectory, RegionView
from storex.fleet.v1 import fleet_pb2

PERMISSION = "fleet.read"
_EVERY_REGION = ResourceName(WILDCARD)


class RegionListing:
    """Answers which regions there are for somebody."""

    def __init__(self, directory: FleetDirectory, policy: Policy) -> None:
        self._directory = directory
        self._policy = policy

    def visible_to(self, caller: Caller) -> list[fleet_pb2.Region]:
        """The regions with an instance that the caller may see, in order of name.

        A region of which nothing is known yet is among them if they could hold a grant there.
        """
        regions = (self._region(view, caller) for view in self._directory.covered(_EVERY_REGION))
        return [region for region in regions if region is not None]

    def _region(self, view: RegionView, caller: Caller) -> fleet_pb2.Region | None:
        if not view.read:
            could = self._policy.permitted_anywhere(caller.principals, PERMISSION, view.config.name)
            return _described(view, []) if could else None
        visible = [
            view.instances[name]
            for name, resource in view.resources.items()
            if self._policy.decide(caller.principals, PERMISSION, resource).allowed
        ]
        return _described(view, visible) if visible else None


def _described(view: RegionView, visible: list[fleet_pb2.Instance]) -> fleet_pb2.Region:
    health, reason = _health(view, visible)
    return fleet_pb2.Region(
        name=str(ResourceName(view.config.name)),
        domain=view.config.domain,
        cloud=view.config.cloud,
        environment=view.config.environment,
        health=health,
        reason=reason,
        instance_count=len(visible),
    )


def _health(view: RegionView, visible: Iterable[fleet_pb2.Instance]) -> tuple[fleet_pb2.Health.ValueType, str]:
    # Only of what the caller may see: a hidden instance's trouble is hidden too.
    if not view.reachable:
        return fleet_pb2.HEALTH_DOWN, Reason.SHARD_UNAVAILABLE.name
    down = [instance for instance in visible if instance.health in (fleet_pb2.HEALTH_DOWN, fleet_pb2.HEALTH_DEGRADED)]
    return (fleet_pb2.HEALTH_DEGRADED, down[0].reason) if down else (fleet_pb2.HEALTH_UP, "")
