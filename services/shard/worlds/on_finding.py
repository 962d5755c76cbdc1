"""Makes a snapshot when a finding opens, where the region's configuration wants that."""

from __future__ import annotations

import asyncio
import logging

from libs.core.clock import Clock
from libs.core.errors import StorexError
from services.shard.instances import Instance, Instances
from services.shard.worlds.servicer import record
from services.shard.worlds.worlds import Worlds
from storex.snapshot.v1 import snapshot_pb2

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
APART_SECONDS = 600.0
"""An instance is recorded by itself once in so long at most: one trouble opens several findings."""


class OnFinding:
    """Follows what the health watches found last; asks no database anything by itself."""

    def __init__(self, worlds: Worlds, instances: Instances, clock: Clock) -> None:
        self._worlds = worlds
        self._instances = instances
        self._clock = clock
        self._open: dict[str, frozenset[str]] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Record each instance on which a finding has opened since the last look."""
        wanted = self._worlds.settings.snapshots.on_finding
        for instance in self._instances.all():
            latest = instance.health.latest
            if latest is None:
                continue
            found = frozenset(finding.kind for finding in latest.findings)
            opened = found - self._open.get(str(instance.view.name), frozenset())
            self._open[str(instance.view.name)] = found
            if wanted and opened and not self._was_recorded(instance):
                await self._record(instance)

    def _was_recorded(self, instance: Instance) -> bool:
        since = self._clock.now() - APART_SECONDS
        return any(
            kept.header.trigger == snapshot_pb2.SNAPSHOT_TRIGGER_FINDING
            and kept.header.captured_at > since
            and kept.header.resource_name.instance_name == instance.view.name
            for kept in self._worlds.kept()
        )

    async def _record(self, instance: Instance) -> None:
        try:
            await record(self._worlds, self._instances, instance, snapshot_pb2.SNAPSHOT_TRIGGER_FINDING)
        except StorexError as error:
            fields = {"instance": str(instance.view.name), "reason": error.reason.name}
            log.warning("no snapshot was made of an instance with a finding", extra={"fields": fields})
