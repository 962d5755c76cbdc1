"""Whose worlds somebody may read, and which are gone for good: asked of the coordinator, with their own rights."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName, parse_name
from services.judge.reach import Reach
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import GetSnapshotRequest, ListSnapshotsRequest

AT_ONCE = 16
_HIDDEN = (Reason.RESOURCE_NOT_FOUND, Reason.RPC_NOT_PERMITTED)
_SILENT = (Reason.SHARD_UNAVAILABLE, Reason.NOT_READY, Reason.DEADLINE_EXCEEDED)


@dataclass(frozen=True, slots=True)
class Visible:
    """The scenarios that somebody may see, how many nobody can decide about now, and the regions that are silent."""

    scenarios: tuple[Scenario, ...]
    undecided: int
    silent: frozenset[str]


async def visible(scenarios: Sequence[Scenario], reach: Reach) -> Visible:
    """The scenarios whose worlds can be read; a world that is gone is like one that may not be read."""
    readable = await _readable({scenario.world for scenario in scenarios}, reach)
    shown = tuple(scenario for scenario in scenarios if readable[scenario.world])
    undecided = [scenario.world for scenario in scenarios if readable[scenario.world] is None]
    return Visible(shown, len(undecided), frozenset(_parsed(world).region for world in undecided))


async def gone(worlds: Iterable[str], silent: Collection[str], reach: Reach) -> set[str]:
    """The worlds that were destroyed: those of an instance whose snapshots somebody may list, and that it has not.

    Of what may not be listed, or lies in a region that is silent, nothing is known; the `silent` ones are not asked.
    """
    by_instance: dict[str, set[str]] = {}
    for world in worlds:
        name = _parsed(world)
        if name.region not in silent:
            by_instance.setdefault(str(name.instance_name), set()).add(world)
    gate = asyncio.Semaphore(AT_ONCE)

    async def lacking(instance: str) -> set[str]:
        async with gate:
            try:
                return by_instance[instance] - await _listed(instance, reach)
            except StorexError as error:
                if error.reason in (*_HIDDEN, *_SILENT):
                    return set()
                raise

    return set().union(*await asyncio.gather(*map(lacking, by_instance)))


def _parsed(world: str) -> ResourceName:
    return parse_name(world, snapshots=True)


async def _listed(instance: str, reach: Reach) -> set[str]:
    """The snapshots that an instance has. Raises StorexError."""
    found: set[str] = set()
    request = ListSnapshotsRequest(name=instance, page_size=1000)
    while True:
        page = await reach.call(reach.snapshots.ListSnapshots, request)
        found.update(snapshot.name for snapshot in page.snapshots)
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def _readable(worlds: Iterable[str], reach: Reach) -> dict[str, bool | None]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def ask(world: str) -> bool | None:
        async with gate:
            return await _may_read(world, reach)

    names = sorted(worlds)
    return dict(zip(names, await asyncio.gather(*map(ask, names)), strict=True))


async def _may_read(world: str, reach: Reach) -> bool | None:
    """None where the world's region does not answer. Raises StorexError for what is wrong with the call itself."""
    try:
        await reach.call(reach.snapshots.GetSnapshot, GetSnapshotRequest(name=world))
    except StorexError as error:
        if error.reason in _HIDDEN:
            return False
        if error.reason in _SILENT:
            return None
        raise
    return True
