"""Snapshots that nobody asks for: bounded, so that fifty questions about one trouble do not make fifty worlds."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.instances import Instance, Instances
from services.shard.worlds.recording import record
from services.shard.worlds.sealing import Trigger
from services.shard.worlds.store import Kept
from services.shard.worlds.worlds import BY_ITSELF, Worlds

HOUR = 3600.0


class ByItself:
    """Makes a snapshot of an instance unless there is one of late; whoever comes meanwhile gets the same one.

    The bound on an hour counts what was made, also where it is gone by now, and by the clock that never goes back.
    """

    def __init__(self, worlds: Worlds, instances: Instances, clock: Clock) -> None:
        self._worlds = worlds
        self._instances = instances
        self._clock = clock
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._begun: list[float] | None = None
        """When each of the last hour was begun, by the monotonic clock; unknown before the first is asked for."""

    async def make(self, instance: Instance, trigger: Trigger) -> Kept:
        """A snapshot that is new, or that was made by itself within the region's `apart_seconds`.

        Raises StorexError SNAPSHOTS_ENOUGH, and what `Worlds.create` raises.
        """
        async with self._turns[str(instance.view.name)]:
            known = self.latest(instance)
            if known is not None:
                return known
            with self._place():
                return await record(self._worlds, self._instances, instance, trigger)

    def latest(self, instance: Instance) -> Kept | None:
        """The newest of an instance that was made by itself within `apart_seconds`."""
        name, apart = instance.view.name, self._worlds.settings.snapshots.apart_seconds
        return next((one for one in self._since(apart) if one.header.resource_name.instance_name == name), None)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the hour's places: taken before anything is waited for, and given back where nothing was made."""
        now, most = self._clock.monotonic(), self._worlds.settings.snapshots.most_an_hour
        if self._begun is None:
            self._begun = [now - (self._clock.now() - one.header.captured_at) for one in self._since(HOUR)]
        self._begun[:] = [moment for moment in self._begun if moment > now - HOUR]
        if len(self._begun) >= most:
            raise StorexError(Reason.SNAPSHOTS_ENOUGH, most=str(most))
        self._begun.append(now)
        try:
            yield
        except BaseException:
            self._begun.remove(now)
            raise

    def _since(self, seconds: float) -> list[Kept]:
        """Those made by themselves in the last so many seconds; not what a clock set back puts into the future."""
        now = self._clock.now()
        kept = self._worlds.kept()
        return [
            one for one in kept if one.header.trigger in BY_ITSELF and now - seconds < one.header.captured_at <= now
        ]
