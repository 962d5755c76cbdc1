"""Makes a snapshot when a finding opens, where the region's configuration wants that."""

from __future__ import annotations

import asyncio
import logging

from libs.core.errors import StorexError
from services.shard.instances import Instance, Instances
from services.shard.worlds.by_itself import ByItself
from services.shard.worlds.worlds import Worlds
from storex.snapshot.v1 import snapshot_pb2

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class OnFinding:
    """Follows what the health watches found last; asks no database anything by itself."""

    def __init__(self, worlds: Worlds, instances: Instances, by_itself: ByItself) -> None:
        self._worlds = worlds
        self._instances = instances
        self._by_itself = by_itself
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
            if wanted and opened:
                await self._record(instance)

    async def _record(self, instance: Instance) -> None:
        try:
            await self._by_itself.make(instance, snapshot_pb2.SNAPSHOT_TRIGGER_FINDING)
        except StorexError as error:
            fields = {"instance": str(instance.view.name), "reason": error.reason.name}
            log.warning("no snapshot was made of an instance with a finding", extra={"fields": fields})
