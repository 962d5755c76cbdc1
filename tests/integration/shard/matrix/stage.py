"""A server at work, and shards that look at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from libs.config import load_config
from libs.core.clock import SystemClock
from libs.lab.engines import EngineBinary
from libs.lab.fleet import REPLICA_SUFFIX, LabFleet, LabInstance
from services.shard.instances import Instance


@dataclass(frozen=True, slots=True)
class Stage:
    """A fleet of one server, or of one and its replica; `name` is the instance that is looked at."""

    fleet: LabFleet
    name: str

    @property
    def instance(self) -> LabInstance:
        """The server with its service and its account."""
        return self.fleet.instances[self.name]

    @asynccontextmanager
    async def shard(self) -> AsyncIterator[Instance]:
        """A shard's view of the instance, from now on."""
        region = load_config(self.fleet.config_path).regions[self.instance.name.region]
        seen = Instance(region.instances[self.name], SystemClock())
        try:
            yield seen
        finally:
            await seen.close()


@contextmanager
def set_up(
    folder: Path, binary: EngineBinary, primary: str, *, replica: bool = False, performance_schema: bool = True
) -> Iterator[Stage]:
    """Start the lab's instance of that name, with a replica that is to be looked at in its place if asked for."""
    with LabFleet.start(
        folder,
        engines=[binary],
        only=[primary],
        replicas_of=[primary] if replica else [],
        performance_schema=performance_schema,
    ) as fleet:
        yield Stage(fleet, f"{primary}{REPLICA_SUFFIX}" if replica else primary)
