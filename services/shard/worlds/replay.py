"""A recorded world in the place of live instances, for one call: the same collectors and detectors run over it.

What it does not hold is told in the answer as a limit, or is the error NOT_CAPTURED, and is counted: never made up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Never, TypeVar

from libs.core.errors import Reason, StorexError
from libs.core.names import ResourceName, parse_name
from services.shard.mysql.features import Capabilities, Gap
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.stores.excerpt import Excerpt
from services.shard.stores.records import Batch, Change, Point, SeenStatement, State, StatementKey, Tier, Work
from services.shard.stores.sqlite import open_excerpt
from services.shard.stores.store import HistoryStore
from services.shard.view import InstanceView
from services.shard.worlds.samples import copied
from services.shard.worlds.world import Look, RecordedInstance, World, not_captured
from storex.common.v1 import entity_pb2
from storex.fleet.v1 import fleet_pb2

T = TypeVar("T")


@dataclass(slots=True)
class Missed:
    """What one call asked of a world that does not hold it, by what it was."""

    sources: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def note(self, source: str) -> None:
        """Remember that it was asked for."""
        self.sources[source] = None


class RecordedSource:
    """See Source: the result sets of one recorded moment."""

    def __init__(self, instance: RecordedInstance, look: Look | None, missed: Missed) -> None:
        self._instance = instance
        self._look = look
        self._missed = missed

    @property
    def capabilities(self) -> Capabilities | None:
        """See Source."""
        return self._instance.capabilities

    async def read(self, *statements: Statement) -> ResultSets:
        """See Source; raises what the live server failed with when it was recorded."""
        look, capabilities = self._look, self._instance.capabilities
        if look is None or capabilities is None:
            raise StorexError(self._instance.failure or Reason.DATABASE_UNREACHABLE)
        missing = {one: self._gap(look, one) for one in statements if one not in look.rows}
        return ResultSets(capabilities, {one: look.rows[one] for one in statements if one in look.rows}, missing)

    async def read_anew(self, *statements: Statement) -> ResultSets:
        """See Source; a recorded moment has nothing newer."""
        return await self.read(*statements)

    def _gap(self, look: Look, statement: Statement) -> Gap:
        recorded = look.gaps.get(statement)
        if recorded is not None and recorded.code != "NOT_CAPTURED":
            return recorded
        self._missed.note(statement.value)
        return recorded or not_captured(statement.value)


class RecordedExplainer:
    """See Explains: a plan is made when it is asked for, and of a moment that is over none can be."""

    def __init__(self, allowed: bool, missed: Missed) -> None:
        self.allowed = allowed
        self._missed = missed

    async def explain(self, _digest: str) -> Never:
        """See Explains. Raises StorexError EXPLAIN_NOT_ALLOWED or NOT_CAPTURED."""
        if not self.allowed:
            raise StorexError(Reason.EXPLAIN_NOT_ALLOWED)
        self._missed.note("plans")
        raise StorexError(Reason.NOT_CAPTURED, what="plans of statements")


class RecordedStore:
    """See HistoryStore: an excerpt, which notes when it is asked for what was left out of it."""

    def __init__(self, store: HistoryStore, excerpt: Excerpt, missed: Callable[[str], None]) -> None:
        self._store = store
        self._excerpt = excerpt
        self._missed = missed

    def series(self, instance: str, metric: str, tier: Tier, start: float, end: float) -> list[Point]:
        """See HistoryStore."""
        self._check("samples", start)
        return self._store.series(instance, metric, tier, start, end)

    def rows(self, instance: str, tier: Tier, start: float, end: float) -> list[tuple[float, Mapping[str, Point]]]:
        """See HistoryStore."""
        self._check("samples", start)
        return self._store.rows(instance, tier, start, end)

    def work(self, instance: str, tier: Tier, start: float, end: float) -> list[Work]:
        """See HistoryStore."""
        self._check("work", start)
        return self._store.work(instance, tier, start, end)

    def statements(self, instance: str) -> Mapping[StatementKey, SeenStatement]:
        """See HistoryStore."""
        return self._store.statements(instance)

    def changes(self, instance: str, start: float, end: float, kinds: Iterable[str] = ()) -> list[Change]:
        """See HistoryStore."""
        self._check("changes", start)
        return self._store.changes(instance, start, end, kinds)

    def states(self, instance: str) -> Mapping[str, State]:
        """See HistoryStore."""
        return self._store.states(instance)

    def span(self, instance: str) -> tuple[float, float] | None:
        """See HistoryStore."""
        return self._store.span(instance)

    def excerpt(self, instance: str, most_bytes: int) -> Excerpt:
        """See HistoryStore."""
        return self._store.excerpt(instance, most_bytes)

    def instances(self) -> list[str]:
        """See HistoryStore."""
        return self._store.instances()

    def write(self, _batches: Sequence[Batch], *, durable: bool = False) -> Never:
        """Refused: a recorded world does not change."""
        del durable
        raise StorexError(Reason.SNAPSHOT_READ_ONLY)

    def roll_up(self, instance: str, now: float) -> None:
        """Nothing: it is as it was."""

    def purge(self, instance: str, now: float) -> None:
        """Nothing: it is as it was."""

    def close(self) -> None:
        """Nothing: the room that opened it closes it."""

    def _check(self, table: str, start: float) -> None:
        if start * 1000 < self._excerpt.cuts.get(table, 0):
            self._missed(f"the older {table} of the history")


class RecordedMemory:
    """See Memory: what a world holds of the region's archive, for one call."""

    def __init__(self, room: Room, instance: RecordedInstance, missed: Missed) -> None:
        self._room = room
        self._instance = instance
        self._missed = missed
        self._gaps: dict[str, None] = {}
        failure = instance.archive_failure
        self.failure = None if failure is None else StorexError(failure)
        """See Memory."""

    async def ask(self, question: Callable[[HistoryStore], T]) -> T:
        """See Memory. Raises StorexError NOT_CAPTURED where the world has no history."""
        excerpt = self._instance.excerpt
        if excerpt is None:
            self._missed.note("history")
            raise StorexError(Reason.NOT_CAPTURED, what="history")
        return await self._room.ask(self._instance, lambda store: question(RecordedStore(store, excerpt, self._noted)))

    async def record(self, _batch: Batch) -> None:
        """See Memory; refused."""
        raise StorexError(Reason.SNAPSHOT_READ_ONLY)

    def limits(self) -> list[entity_pb2.Limit]:
        """See Memory."""
        return [not_captured(gap).limit() for gap in self._gaps]

    def _noted(self, gap: str) -> None:
        self._gaps[gap] = None
        self._missed.note(gap)


class Room:
    """An opened world that several calls look at; `threads` is where its history is read, one question at a time."""

    def __init__(self, name: ResourceName, world: World, size: int, threads: Executor) -> None:
        self.name = name
        self.world = world
        self.size = size
        """Of the content, in bytes."""
        self._threads = threads
        self._turn = asyncio.Lock()
        self._stores: dict[str, HistoryStore] = {}

    async def ask(self, instance: RecordedInstance, question: Callable[[HistoryStore], T]) -> T:
        """What a question finds in the history of one of the world's instances."""
        async with self._turn:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: question(self._store(instance))
            )

    def _store(self, instance: RecordedInstance) -> HistoryStore:
        store = self._stores.get(instance.name)
        if store is None:
            excerpt = instance.excerpt or Excerpt((), {})
            store = self._stores[instance.name] = open_excerpt(instance.name, excerpt)
        return store


@dataclass(frozen=True, slots=True)
class Stage:
    """A recorded instance as handlers see it in the place of a live one."""

    recorded: RecordedInstance
    view: InstanceView

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels when it was recorded."""
        return self.recorded.labels

    def described(self) -> fleet_pb2.Instance:
        """How the fleet listed it, under the name that it has now."""
        found = fleet_pb2.Instance.FromString(self.recorded.description)
        found.name = self.recorded.name
        return found


class Replay:
    """A world for one call, with what that call missed in it."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.missed = Missed()

    @property
    def names(self) -> list[ResourceName]:
        """The instances that it holds."""
        return [parse_name(instance.name) for instance in self._room.world.instances]

    def get(self, name: ResourceName) -> Stage:
        """The recorded instance of that name. Raises StorexError NOT_CAPTURED."""
        for recorded in self._room.world.instances:
            if recorded.name == str(name):
                return self._stage(recorded)
        self.missed.note("another instance")
        raise StorexError(Reason.NOT_CAPTURED, what="another instance than those that were recorded")

    def _stage(self, recorded: RecordedInstance) -> Stage:
        looks: Sequence[Look | None] = recorded.looks or [None]
        view: InstanceView | None = None
        for look in looks:
            moment = recorded.moment if look is None else look.moment
            view = InstanceView(
                name=parse_name(recorded.name),
                source=RecordedSource(recorded, look, self.missed),
                history=copied(recorded.history),  # collectors note in it what they have seen
                texts=recorded.texts.copy(),
                clock=moment,
                archive=RecordedMemory(self._room, recorded, self.missed),
                explainer=RecordedExplainer(recorded.explain_allowed, self.missed),
                snapshot=str(self._room.name),
                earlier=None if view is None else replace(view, earlier=None),
            )
        if view is None:
            raise StorexError(Reason.INTERNAL, detail="a recorded instance without a look")
        return Stage(recorded, view)


_current: ContextVar[Replay | None] = ContextVar("storex_replay", default=None)


def current_replay() -> Replay | None:
    """The replay that this call is answered from; None for the live instances."""
    return _current.get()


def enter_replay(replay: Replay) -> None:
    """Answer this call from a replay; each call has a task, and so a context, of its own."""
    _current.set(replay)
