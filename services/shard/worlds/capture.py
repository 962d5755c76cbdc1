"""Reads a world: two looks at an instance and its neighbours, and what the shard remembers of them, in bounded time.

What changes by the moment is read twice, a little apart, as detectors look again; what is dear and changes seldom is
read in between, for as long as there is time. What does not fit is named as not captured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.facts.replica_rows import current_names
from services.shard.mysql.connection import Row
from services.shard.mysql.features import Capabilities, Gap
from services.shard.mysql.source import ResultSets, Source
from services.shard.mysql.statements import SHAREABLE, Statement
from services.shard.stores.excerpt import Excerpt
from services.shard.view import InstanceView, text, whole
from services.shard.worlds.samples import copied
from services.shard.worlds.world import NOT_CAPTURED, Look, Moment, RecordedInstance, World

LONGEST = 1.4
"""How long the servers are read at most, in seconds."""
DEAR_UNTIL = 0.6
"""When the second look begins, in seconds after the first; what is dear and was not read by then comes after it."""
EXCERPT_BYTES = 32 * 1024 * 1024
"""How much of the archive is taken."""
EXCERPT_SECONDS = 1.0
MOST_NEIGHBOURS = 4
"""Instances that one is replicated to or from, and that are recorded with it."""

VOLATILE = tuple(
    statement
    for statement in Statement
    if statement in SHAREABLE
    or statement in (Statement.ROW_LOCK_WAITS, Statement.ROW_LOCKS, Statement.METADATA_LOCKS, Statement.APPLIERS)
    or statement in (Statement.APPLIER_LOCKS, Statement.SESSION_WORK, Statement.ACCOUNT_WORK)
)
"""What is read in both looks."""
AT_LAST = (Statement.DIGESTS,)
"""What is dear and belongs to the moment: read with the second look, after what is cheap."""
_LEAST = (Statement.COLUMNS, Statement.INDEXES, Statement.CLIENT_VERSIONS, Statement.RECENT_DIGESTS)
"""What nobody asks for at a moment; it goes last."""
BETWEEN = tuple(
    sorted(set(Statement) - set(VOLATILE) - set(AT_LAST), key=lambda one: (one in _LEAST, list(Statement).index(one)))
)


@dataclass(frozen=True, slots=True)
class Subject:
    """An instance that can be recorded: what collectors see of it, its address, and how the fleet lists it."""

    view: InstanceView
    labels: Mapping[str, str]
    address: tuple[str, int]
    description: bytes


class RecordingSource:
    """A live source that keeps what it returned; what was read once is given again."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rows: dict[Statement, list[Row]] = {}
        self._gaps: dict[Statement, Gap] = {}
        self._capabilities: Capabilities | None = source.capabilities

    @property
    def capabilities(self) -> Capabilities | None:
        """See Source."""
        return self._capabilities

    async def read(self, *statements: Statement) -> ResultSets:
        """See Source."""
        new = [one for one in statements if one not in self._rows and one not in self._gaps]
        if new or self._capabilities is None:
            self._keep(new, await self._source.read(*new))
        capabilities = self._capabilities
        if capabilities is None:
            raise StorexError(Reason.INTERNAL, detail="a source answered without saying what it offers")
        rows = {one: self._rows[one] for one in statements if one in self._rows}
        return ResultSets(capabilities, rows, {one: self._gaps[one] for one in statements if one in self._gaps})

    async def read_anew(self, *statements: Statement) -> ResultSets:
        """See Source; at one moment nothing is newer."""
        return await self.read(*statements)

    async def read_within(self, seconds: float, *statements: Statement, give_up: bool = True) -> bool:
        """Read for so long at most; what takes longer is ended, and noted as not captured. Whether it was read.

        Without `give_up` nothing is noted, so that it can be tried again.
        """
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self.read(*statements)
        except TimeoutError:
            pass
        except StorexError as error:
            if error.reason is not Reason.DATABASE_TIMEOUT:
                raise
        else:
            return True
        if give_up:
            self.give_up(statements)
        return False

    async def read_each(self, left: Callable[[], float], statements: Iterable[Statement]) -> None:
        """Read what was not read, one after the other, for as long as there are seconds left."""
        for one in statements:
            if one not in self._rows and one not in self._gaps and left() > 0.0:
                await self.read_within(left(), one, give_up=False)

    def give_up(self, statements: Iterable[Statement]) -> None:
        """Note what was not read as not captured."""
        for one in statements:
            if one not in self._rows and one not in self._gaps:
                message = f"There was no time to read {one.value} for the snapshot."
                self._gaps[one] = Gap(one.value, NOT_CAPTURED, message, "Ask the live instance for it.")

    def look(self, moment: Moment) -> Look:
        """All that was read, as of a moment."""
        return Look(moment, dict(self._rows), dict(self._gaps))

    def take(self, look: Look) -> None:
        """Take over what another look read of statements that were not read here."""
        for one, rows in look.rows.items():
            if one not in self._rows and (one not in self._gaps or self._gaps[one].code == NOT_CAPTURED):
                self._gaps.pop(one, None)
                self._rows[one] = rows
        for one, gap in look.gaps.items():
            if one not in self._rows:
                self._gaps.setdefault(one, gap)

    def _keep(self, asked: Sequence[Statement], results: ResultSets) -> None:
        self._capabilities = results.capabilities
        for one in asked:
            gap = results.gap(one)
            if gap is not None:
                self._gaps[one] = gap
            elif results.has(one):
                self._rows[one] = results.rows(one)


def moment_of(clock: Clock) -> Moment:
    """This moment, by both clocks."""
    return Moment(clock.now(), clock.monotonic())


async def capture(subject: Subject, others: Sequence[Subject], *, excerpt_bytes: int = EXCERPT_BYTES) -> World:
    """The world of an instance; `others` are what its shard serves beside it. Never raises for a server's failure."""
    began = subject.view.clock.monotonic()
    neighbours = await _neighbours(subject, others)
    recorded = await asyncio.gather(*(_instance(one, began, excerpt_bytes) for one in (subject, *neighbours)))
    return World(recorded, round(max(look.moment.steady for look in _all_looks(recorded)) - began, 3))


def _all_looks(recorded: Sequence[RecordedInstance]) -> list[Look]:
    looks = [look for instance in recorded for look in instance.looks]
    return looks or [Look(recorded[0].moment, {}, {})]


async def _instance(subject: Subject, began: float, excerpt_bytes: int) -> RecordedInstance:
    view = subject.view
    looks: list[Look] = []
    failure: Reason | None = None
    try:
        looks = await _looks(view, began)
    except StorexError as error:
        failure = error.reason
    moment = looks[-1].moment if looks else moment_of(view.clock)
    # Copied in one go without a pause, so that no sample of after the moment is among them for long.
    history, texts = copied(view.history), view.texts.copy()
    excerpt = await _excerpt(view, moment, excerpt_bytes)
    archive_failure = None if view.archive is None else view.archive.failure
    return RecordedInstance(
        name=str(view.name),
        labels=dict(subject.labels),
        description=subject.description,
        capabilities=view.source.capabilities,
        looks=looks,
        moment=moment,
        history=history,
        texts=texts,
        excerpt=excerpt,
        failure=failure,
        explain_allowed=view.explainer is not None and view.explainer.allowed,
        archive_failure=None if archive_failure is None else archive_failure.reason,
    )


async def _looks(view: InstanceView, began: float) -> list[Look]:
    """The two looks, or the first one alone where there was no time for more. Raises StorexError."""

    def spent() -> float:
        return view.clock.monotonic() - began

    first = RecordingSource(view.source)
    if not await first.read_within(LONGEST - spent(), *VOLATILE):
        raise StorexError(Reason.DATABASE_TIMEOUT)
    early = first.look(moment_of(view.clock))
    second = RecordingSource(view.source)
    await second.read_each(lambda: DEAR_UNTIL - spent(), BETWEEN)
    await asyncio.sleep(max(0.0, DEAR_UNTIL - spent()))
    again = await second.read_within(LONGEST - spent(), *VOLATILE)
    moment = moment_of(view.clock)
    await second.read_within(LONGEST - spent(), *AT_LAST)
    await second.read_each(lambda: LONGEST - spent(), BETWEEN)
    second.give_up(Statement)
    if not again:  # better an older look than none
        second.take(early)
        return [second.look(early.moment)]
    first.take(second.look(moment))
    return [first.look(early.moment), second.look(moment)]


async def _excerpt(view: InstanceView, moment: Moment, most_bytes: int) -> Excerpt | None:
    if view.archive is None:
        return None
    name = str(view.name)
    try:
        async with asyncio.timeout(EXCERPT_SECONDS):
            return await view.archive.ask(lambda store: store.excerpt(name, most_bytes).until(moment.wall))
    except (StorexError, TimeoutError):
        return None


async def _neighbours(subject: Subject, others: Sequence[Subject]) -> list[Subject]:
    """The instances among `others` that the subject replicates from, or that replicate from it."""
    replicas = [one for one in others if _lags(one)]
    sources, *of_others = await asyncio.gather(*(_sources(one) for one in (subject, *replicas)))
    upstream = [one for one in others if one.address in sources]
    downstream = [one for one, found in zip(replicas, of_others, strict=True) if subject.address in found]
    return list({str(one.view.name): one for one in [*downstream, *upstream]}.values())[:MOST_NEIGHBOURS]


def _lags(subject: Subject) -> bool:
    """Whether its samples say that it is a replica, without asking it."""
    status = subject.view.history.status
    return bool(status) and "replica_lag_seconds" in status[-1].values


async def _sources(subject: Subject) -> set[tuple[str, int]]:
    """Where an instance replicates from, as its inventory would write it."""
    try:
        async with asyncio.timeout(DEAR_UNTIL / 2):
            results = await subject.view.source.read(Statement.REPLICA_STATUS)
    except (StorexError, TimeoutError):
        return set()
    rows = [current_names(row) for row in results.rows(Statement.REPLICA_STATUS)]
    return {(text(row.get("source_host")), whole(row.get("source_port"))) for row in rows}
