"""Whose worlds somebody may read, and which are gone for good: asked of the coordinator, with their own rights."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from services.judge.reach import Reach
from storex.judge.v1.scenario_pb2 import Scenario
from storex.snapshot.v1.snapshot_pb2 import GetSnapshotRequest

AT_ONCE = 16
_HIDDEN = (Reason.RESOURCE_NOT_FOUND, Reason.RPC_NOT_PERMITTED)
_SILENT = (Reason.SHARD_UNAVAILABLE, Reason.NOT_READY, Reason.DEADLINE_EXCEEDED)


class Seen(Enum):
    """What somebody sees of a world: its region may be silent, and a destroyed one is gone for everybody."""

    READABLE, HIDDEN, DESTROYED, SILENT = range(4)


@dataclass(frozen=True, slots=True)
class Visible:
    """The scenarios that somebody may see, the worlds that were destroyed, and those that nobody can decide about now.

    `undecided` counts the scenarios of the latter; `silent` are their regions.
    """

    scenarios: tuple[Scenario, ...]
    destroyed: frozenset[str]
    undecided: int
    silent: frozenset[str]


async def visible(scenarios: Sequence[Scenario], reach: Reach) -> Visible:
    """The scenarios whose worlds can be read; a world that is gone is like one that may not be read."""
    seen = await _look_at({scenario.world for scenario in scenarios}, reach)
    of_silent = [scenario.world for scenario in scenarios if seen[scenario.world] is Seen.SILENT]
    return Visible(
        tuple(scenario for scenario in scenarios if seen[scenario.world] is Seen.READABLE),
        _destroyed(seen),
        len(of_silent),
        frozenset(map(_region, of_silent)),
    )


async def destroyed(worlds: Iterable[str], silent: Collection[str], reach: Reach) -> frozenset[str]:
    """Those of the worlds that were destroyed, as far as their shards say so to somebody who might read them.

    A world that its shard does not know proves nothing: its folder may be another one. The `silent` regions are not
    asked.
    """
    return _destroyed(await _look_at(worlds, reach, silent))


def _destroyed(seen: Mapping[str, Seen]) -> frozenset[str]:
    return frozenset(world for world, one in seen.items() if one is Seen.DESTROYED)


def _region(world: str) -> str:
    return parse_name(world, snapshots=True).region


async def _look_at(worlds: Iterable[str], reach: Reach, silent: Collection[str] = ()) -> dict[str, Seen]:
    gate, not_asked = asyncio.Semaphore(AT_ONCE), set(silent)

    async def look(world: str) -> Seen:
        async with gate:
            if _region(world) in not_asked:
                return Seen.SILENT
            seen = await _seen(world, reach)
            if seen is Seen.SILENT:
                not_asked.add(_region(world))  # a silent region is waited for once, not for each of its worlds
            return seen

    names = sorted(worlds)
    return dict(zip(names, await asyncio.gather(*map(look, names)), strict=True))


async def _seen(world: str, reach: Reach) -> Seen:
    """Raises StorexError for what is wrong with the call itself."""
    try:
        await reach.call(reach.snapshots.GetSnapshot, GetSnapshotRequest(name=world))
    except StorexError as error:
        if error.reason in _HIDDEN:
            return Seen.HIDDEN
        if error.reason in _SILENT:
            return Seen.SILENT
        if error.reason is Reason.SNAPSHOT_KEY_DESTROYED:
            return Seen.DESTROYED
        raise
    return Seen.READABLE
