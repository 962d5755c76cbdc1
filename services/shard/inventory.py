"""Follows `storex.yaml`, so that an instance can be added, moved or removed without a restart."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from libs.config import ConfigError, RegionConfig, load_config
from services.shard.instances import Instances

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class InventoryWatch:
    """Takes a changed file in when it is seen; one that is not right changes nothing and is told in the log."""

    def __init__(self, path: Path, region: str, instances: Instances) -> None:
        self._path = path
        self._region = region
        self._instances = instances
        self._seen = _signature(path)

    async def run(self) -> None:
        """Look for changes until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            signature = await asyncio.to_thread(_signature, self._path)
            if signature is not None and signature != self._seen:
                self._seen = signature
                await self.reload()

    async def reload(self) -> None:
        """Read the file and take it in."""
        try:
            config = await asyncio.to_thread(load_config, self._path)
        except ConfigError as error:
            problems = [str(problem) for problem in error.problems]
            log.error(
                "storex.yaml is not right; the last good one stays in force", extra={"fields": {"problems": problems}}
            )
            return
        region: RegionConfig | None = config.regions.get(self._region)
        if region is None:
            log.error("storex.yaml no longer has this shard's region; the last good one stays in force")
            return
        await self._instances.take_in(region)
        log.info("inventory taken in", extra={"fields": {"instances": len(region.instances)}})


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
