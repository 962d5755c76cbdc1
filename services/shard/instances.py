"""The instances that this shard serves, in step with the inventory: executor, sampler, history and health of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from libs.config import InstanceConfig, RegionConfig
from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from libs.core.names import WILDCARD, ResourceName, parse_name
from libs.core.resources import Resource
from services.shard.mysql.connection import Login
from services.shard.mysql.executor import InstanceExecutor
from services.shard.mysql.explaining import Explainer
from services.shard.mysql.source import LiveSource
from services.shard.sampler.history import History
from services.shard.sampler.recorder import Recorder
from services.shard.sampler.sampler import Sampler
from services.shard.sampler.watcher import Watcher
from services.shard.stores.archive import Archive
from services.shard.view import InstanceView
from services.shard.watch.health_watch import HealthWatch
from services.shard.work.seen_texts import SeenTexts
from services.shard.work.statement_texts import StatementTexts
from services.shard.worlds.replay import Stage, current_replay


class Instance:
    """One database server and all that the shard keeps for it. Made on the event loop; `close` ends its work."""

    def __init__(self, config: InstanceConfig, clock: Clock, archive: Archive | None = None) -> None:
        """With an archive what is sampled outlasts the process."""
        self.config = config
        self.executor = InstanceExecutor(self._login, clock)
        source, history, texts = LiveSource(self.executor, clock), History(), StatementTexts()
        name = str(config.resource_name)
        self.recorder = None if archive is None else Recorder(name, archive, texts, clock)
        seen = SeenTexts(lambda: self.config.explain)
        explainer = Explainer(self.executor, seen)
        self.view = InstanceView(config.resource_name, source, history, texts, clock, archive, explainer=explainer)
        self.sampler = Sampler(name, source, history, texts, clock, self.recorder, seen)
        self.health = HealthWatch(self.view, lambda: self.config.labels)
        self._work = [asyncio.create_task(self.sampler.run()), asyncio.create_task(self.health.run())]
        if self.recorder is not None:
            self._work.append(asyncio.create_task(Watcher(source, self.recorder, clock).run()))

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels, as the inventory has them now."""
        return self.config.labels

    def stop_sampling(self) -> None:
        """Look at the server only when asked."""
        for task in self._work:
            task.cancel()

    async def close(self) -> None:
        """Stop sampling and watching, and end the sessions."""
        self.stop_sampling()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self.executor.close()

    def _login(self) -> Login:
        """Read anew each time, so that a rotated password works at once. Raises ConfigError."""
        config = self.config
        return Login(config.host, config.port, config.user, config.password(), config.tls)


Served = Instance | Stage
"""An instance as handlers see it: a live one, or a recorded one in its place."""


class Instances:
    """The shard's instances by name: the directory that calls are authorised against, and what serves them."""

    def __init__(self, clock: Clock, archive: Archive | None = None) -> None:
        self._clock = clock
        self._archive = archive
        self._region: RegionConfig | None = None
        self._instances: dict[str, Instance] = {}

    @property
    def region(self) -> RegionConfig:
        """The region as the inventory has it now."""
        if self._region is None:
            raise RuntimeError("no inventory has been taken in yet")
        return self._region

    async def take_in(self, region: RegionConfig) -> None:
        """Start what is new, end what is gone, and give what stayed its newest settings."""
        self._region = region
        gone = [name for name in self._instances if name not in region.instances]
        closing = [self._instances.pop(name) for name in gone]
        for name, config in region.instances.items():
            known = self._instances.get(name)
            if known is None:
                self._instances[name] = Instance(config, self._clock, self._archive)
            elif (known.config.host, known.config.port) != (config.host, config.port):
                closing.append(known)  # another server: what was remembered of the old one is not about it
                self._instances[name] = Instance(config, self._clock, self._archive)
            else:
                known.config = config
        await asyncio.gather(*(instance.close() for instance in closing))

    async def close(self) -> None:
        """End all of them."""
        closing, self._instances = list(self._instances.values()), {}
        await asyncio.gather(*(instance.close() for instance in closing))

    def get(self, name: ResourceName) -> Instance | None:
        """The instance of that name."""
        return self._instances.get(name.instance or "") if name.region == self.region.name else None

    def all(self) -> list[Instance]:
        """Every instance, in order of name."""
        return [found for _, found in sorted(self._instances.items())]

    def served(self, name: str) -> Served:
        """The instance of that resource name, as this call is to see it: recorded, where it names a snapshot.

        Raises StorexError RESOURCE_NOT_FOUND, NAME_INVALID, NOT_CAPTURED.
        """
        replay = current_replay()
        return self.named(name) if replay is None else replay.get(parse_name(name))

    def covered(self, resources: Sequence[Resource]) -> list[Served]:
        """Those of the resources that there are, as this call is to see them: of a snapshot those that it holds."""
        replay = current_replay()
        if replay is None:
            return [found for resource in resources if (found := self.get(resource.name)) is not None]
        return [replay.get(resource.name) for resource in resources if resource.name in replay.names]

    def named(self, name: str) -> Instance:
        """The live instance of that resource name. Raises StorexError RESOURCE_NOT_FOUND, NAME_INVALID."""
        found = self.get(parse_name(name))
        if found is None:
            raise StorexError(Reason.RESOURCE_NOT_FOUND)
        return found

    def instance(self, name: ResourceName) -> Resource | None:
        """What policy knows of the instance of that name; see ResourceDirectory."""
        found = self.get(name)
        return None if found is None else self.region.resource(found.config)

    def within(self, name: ResourceName) -> Sequence[Resource]:
        """What policy knows of every instance that the name covers; see ResourceDirectory."""
        if not self.knows_region(name.region) and name.region != WILDCARD:
            return []
        resources = [self.region.resource(found.config) for _, found in sorted(self._instances.items())]
        return [resource for resource in resources if name.covers(resource.name)]

    def knows_region(self, region: str) -> bool:
        """Whether that is this shard's region; see ResourceDirectory."""
        return region == self.region.name
