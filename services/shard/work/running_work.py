"""What runs and has not ended: no counter of the engine's tells of it yet, but samples of the process list do.

A statement that takes minutes would else be unknown for minutes, while it is the very reason that others are slow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from services.shard.sampler.history import ActivitySample, DigestKey, RunningStatement
from storex.diagnostics.v1 import diagnostics_pb2

RECENT = 5.0
"""A sample that is older says nothing about now, in seconds."""
LONG = 2.0
"""A statement that nobody has seen end is told once it has run for so long, in seconds."""


@dataclass(frozen=True, slots=True)
class RunningWork:
    """The sessions that run one statement now; `load` is how many did on average over the window's samples."""

    statement: RunningStatement
    sessions: int
    longest_seconds: float
    rows_examined: int
    load: float

    @property
    def is_long(self) -> bool:
        """Whether it is worth telling though nobody has seen it end."""
        return self.longest_seconds >= LONG

    def add_to(self, stats: diagnostics_pb2.QueryStats) -> None:
        """Tell of it beside the calls that have ended."""
        stats.running_sessions = self.sessions
        stats.running_seconds = round(self.longest_seconds, 3)
        stats.running_rows_examined = self.rows_examined
        stats.running_load = round(self.load, 4)


def running_work(
    samples: Sequence[ActivitySample], now: float, window: float, waiting: Set[int] = frozenset()
) -> Mapping[DigestKey, RunningWork]:
    """By schema and digest, as the newest sample of the window saw it; sessions that wait for a lock do no work.

    `waiting` are the connections that wait for a row lock now: their state in the process list does not tell.
    """
    within = [sample for sample in samples if sample.at >= now - window]
    if not within or now - within[-1].at > RECENT:
        return {}
    caught: dict[DigestKey, int] = defaultdict(int)
    for sample in within:
        for running in sample.running:
            caught[running.schema, running.digest] += _works(running, waiting)
    latest: dict[DigestKey, list[RunningStatement]] = defaultdict(list)
    for running in within[-1].running:
        if _works(running, waiting):
            latest[running.schema, running.digest].append(running)
    return {
        key: RunningWork(
            statement=found[0],
            sessions=len(found),
            longest_seconds=max(one.seconds for one in found),
            rows_examined=sum(one.rows_examined or 0 for one in found),
            load=caught[key] / len(within),
        )
        for key, found in latest.items()
    }


def _works(running: RunningStatement, waiting: Set[int]) -> bool:
    return not running.waits_for_lock and running.connection_id not in waiting
