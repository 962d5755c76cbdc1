"""Makes a snapshot of a live instance."""

from __future__ import annotations

from services.shard.fleet import describe
from services.shard.instances import Instance, Instances
from services.shard.worlds.capture import Subject
from services.shard.worlds.sealing import Trigger
from services.shard.worlds.store import Kept
from services.shard.worlds.worlds import Worlds


async def record(worlds: Worlds, instances: Instances, instance: Instance, trigger: Trigger) -> Kept:
    """Make a snapshot of a live instance. Raises what `Worlds.create` raises."""
    others = [_subject(instances, other) for other in instances.all() if other is not instance]
    return await worlds.create(_subject(instances, instance), others, trigger)


def _subject(instances: Instances, instance: Instance) -> Subject:
    config = instance.config
    description = describe(instances.region, instance).SerializeToString()
    return Subject(instance.view, instance.labels, (config.host, config.port), description)
