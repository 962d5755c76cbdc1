"""An instance as the fleet lists it: what the inventory says, and what its sampler saw."""

from __future__ import annotations

from libs.config import RegionConfig
from services.shard.instances import Instance, Served
from services.shard.view import timestamp
from storex.fleet.v1 import fleet_pb2


def describe(region: RegionConfig, instance: Served) -> fleet_pb2.Instance:
    """The instance; without a call to the server."""
    if not isinstance(instance, Instance):
        return instance.described()
    seen = instance.sampler.seen
    capabilities = instance.view.source.capabilities
    described = fleet_pb2.Instance(
        name=str(instance.config.resource_name),
        team=instance.config.team,
        domain=region.domain,
        cloud=region.cloud,
        environment=region.environment,
        labels=dict(instance.config.labels),
        engine=capabilities.engine if capabilities else "",
        version=capabilities.version if capabilities else "",
        host=instance.config.host,
        port=instance.config.port,
        server_id=seen.server_id,
        server_uuid=seen.server_uuid,
    )
    if seen.failure is not None:
        described.health = fleet_pb2.HEALTH_DOWN
        described.reason = seen.failure.reason.name
    elif seen.answered_at is not None:
        described.health = fleet_pb2.HEALTH_UP
    if seen.answered_at is not None:
        described.last_seen_at.CopyFrom(timestamp(seen.answered_at))
    if seen.is_replica is not None:
        described.role = fleet_pb2.ROLE_REPLICA if seen.is_replica else fleet_pb2.ROLE_PRIMARY
    return described
