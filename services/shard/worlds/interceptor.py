"""Opens the snapshot that a call names, before its handler runs, and counts what the call missed in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prometheus_client import CollectorRegistry, Counter

from libs.core.errors import Reason, StorexError
from libs.rpc.interceptors.authorise import READ_SNAPSHOTS
from libs.rpc.interceptors.base import CallInterceptor, Incoming
from services.shard.worlds.replay import Replay, enter_replay
from services.shard.worlds.worlds import Worlds


class ReplayInterceptor(CallInterceptor):
    """Next to the egress step: whoever comes here may read the snapshot, and what it answers is filtered as ever."""

    def __init__(self, worlds: Worlds, registry: CollectorRegistry) -> None:
        self._worlds = worlds
        self._replays = Counter("storex_replays", "Calls that were answered from a snapshot.", registry=registry)
        self._missed = Counter(
            "storex_replay_not_captured",
            "What calls asked of snapshots that do not hold it.",
            ["source"],
            registry=registry,
        )

    @asynccontextmanager
    async def around(self, incoming: Incoming) -> AsyncIterator[None]:
        """Raises StorexError SNAPSHOT_READ_ONLY, and what opening a snapshot raises."""
        call = incoming.call
        if call.snapshot is None:
            yield
            return
        if call.method is None or call.method.of_snapshots:
            if call.method is not None and call.method.permission == READ_SNAPSHOTS:
                yield  # what is known of snapshots is the same whoever is asked
                return
            raise StorexError(Reason.SNAPSHOT_READ_ONLY)
        if call.method.lasting:
            self._missed.labels("later").inc()
            raise StorexError(Reason.NOT_CAPTURED, what="what happened after its moment")
        replay = Replay(await self._worlds.open(call.snapshot))
        self._replays.inc()
        enter_replay(replay)
        try:
            yield
        finally:
            for source in replay.missed.sources:
                self._missed.labels(source).inc()
