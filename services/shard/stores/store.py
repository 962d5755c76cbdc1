"""The interface of a store. Blocking; each store object belongs to one thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from services.shard.stores.excerpt import Excerpt
from services.shard.stores.records import (
    Batch,
    Change,
    Point,
    SeenStatement,
    State,
    StatementKey,
    Tier,
    Work,
)


class HistoryStore(Protocol):
    """The history of a region's instances, by their resource names.

    Every method raises StorexError: STORE_FULL where there is no room for what is written, else STORE_UNAVAILABLE.
    Ranges of time take in their start and not their end.
    """

    def write(self, batches: Sequence[Batch], *, durable: bool = False) -> None:
        """Keep all of the batches, or none. No kill undoes it, and no power cut if it is `durable`."""

    def series(self, instance: str, metric: str, tier: Tier, start: float, end: float) -> list[Point]:
        """One metric, oldest first."""

    def rows(self, instance: str, tier: Tier, start: float, end: float) -> list[tuple[float, Mapping[str, Point]]]:
        """All metrics by the time of their sample, oldest first."""

    def work(self, instance: str, tier: Tier, start: float, end: float) -> list[Work]:
        """The pieces of statement work that ended in the range, oldest first."""

    def statements(self, instance: str) -> Mapping[StatementKey, SeenStatement]:
        """Every statement that was seen."""

    def changes(self, instance: str, start: float, end: float, kinds: Iterable[str] = ()) -> list[Change]:
        """The changes of these kinds, or of all, newest first; the newest 10,000 at most."""

    def states(self, instance: str) -> Mapping[str, State]:
        """The last known states by subject."""

    def span(self, instance: str) -> tuple[float, float] | None:
        """The times of the oldest and the newest sample of any tier; None where there is none."""

    def excerpt(self, instance: str, most_bytes: int) -> Excerpt:
        """What is kept of an instance, to be carried away: the newest of it, as much as fits into so many bytes."""

    def instances(self) -> list[str]:
        """The names of all instances that anything is kept of."""

    def roll_up(self, instance: str, now: float) -> None:
        """Make the coarser tiers out of the finer ones, as far as their periods have ended."""

    def purge(self, instance: str, now: float) -> None:
        """Drop what is older than its retention."""

    def close(self) -> None:
        """Let go of the store."""
