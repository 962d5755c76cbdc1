"""What one instance looked like lately: bounded rings of samples, each with the monotonic time it was taken at."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

Owner = tuple[str, str, str]
"""User, host and program that a connection belongs to."""
DigestKey = tuple[str, str]
"""Schema and digest."""
DigestCounters = tuple[int, ...]
"""The counters of a digest in the order of `DIGEST_COUNTERS`."""

KEEP_SECONDS = 900.0
"""How far back samples reach."""
DENSE_SECONDS = 120.0
SPARSE_SECONDS = 60.0
"""Within `DENSE_SECONDS` every digest sample is kept; older ones are thinned to one in `SPARSE_SECONDS`."""
SPARSE_CLIENT_SECONDS = 10.0
"""Samples of what clients did are thinned to one in so many seconds."""
DENSE_STATUS_SECONDS, SPARSE_STATUS_SECONDS = 300.0, 5.0
"""The same for samples of the counters."""


class _Sample(Protocol):
    @property
    def at(self) -> float: ...


S = TypeVar("S", bound=_Sample)


@dataclass(frozen=True, slots=True)
class StatusSample:
    """Global status counters."""

    at: float
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DigestSample:
    """The counters of every digest since the server started."""

    at: float
    counters: Mapping[DigestKey, DigestCounters]


@dataclass(frozen=True, slots=True)
class ConnectionSample:
    """How many connections each owner had."""

    at: float
    counts: Mapping[Owner, int]


@dataclass(frozen=True, slots=True)
class ClientWork:
    """Statements that a client sent, those of them that failed, and connections that it opened."""

    statements: float = 0.0
    failed: float = 0.0
    connects: float = 0.0

    def __add__(self, other: ClientWork) -> ClientWork:
        return ClientWork(
            self.statements + other.statements, self.failed + other.failed, self.connects + other.connects
        )

    @property
    def negative(self) -> ClientWork:
        """The same below zero."""
        return ClientWork(-self.statements, -self.failed, -self.connects)

    def since(self, before: ClientWork) -> ClientWork:
        """By how much counters grew; after a reset they count from zero."""
        if self.statements < before.statements:
            return self
        return ClientWork(
            self.statements - before.statements,
            max(0.0, self.failed - before.failed),
            max(0.0, self.connects - before.connects),
        )

    def beyond(self, slack: float) -> ClientWork:
        """What is there if it is more than a difference between two readings."""
        statements = self.statements if self.statements > slack else 0.0
        return ClientWork(statements, max(0.0, self.failed), max(0.0, self.connects))


NO_WORK = ClientWork()


@dataclass(frozen=True, slots=True)
class ClientSample:
    """What each client has done since the sampling began; `counted` by the engine, or else estimated."""

    at: float
    work: Mapping[Owner, ClientWork]
    counted: bool


@dataclass(frozen=True, slots=True)
class RunningStatement:
    """A statement that a sample of the process list caught running."""

    schema: str
    digest: str
    text: str
    tables: tuple[str, ...]
    connection_id: int
    seconds: float
    rows_examined: int | None
    waits_for_lock: bool = False


@dataclass(frozen=True, slots=True)
class ActivitySample:
    """The statements that ran at one moment."""

    at: float
    running: tuple[RunningStatement, ...]


@dataclass(slots=True)
class TrackedConnection:
    """One connection since it was first seen; `reused` once it worked again after it had been idle."""

    owner: Owner
    first_seen: float
    idle_since: float | None = None
    reused: bool = False


@dataclass(frozen=True, slots=True)
class SettingSeen:
    """A variable's value, when it was seen last, and the change to it where that was seen: from what, between when."""

    value: str
    seen_at: float
    old: str = ""
    since: float | None = None
    changed_at: float | None = None


@dataclass(slots=True)
class History:
    """The samples of one instance, oldest first."""

    status: deque[StatusSample] = field(default_factory=deque)
    digests: deque[DigestSample] = field(default_factory=deque)
    connections: deque[ConnectionSample] = field(default_factory=deque)
    activity: deque[ActivitySample] = field(default_factory=deque)
    clients: deque[ClientSample] = field(default_factory=deque)
    tracked: dict[int, TrackedConnection] = field(default_factory=dict)
    settings: dict[str, SettingSeen] = field(default_factory=dict)
    settings_seen_at: float | None = None
    """When all variables that were set at run time were last read."""

    def add_status(self, sample: StatusSample) -> None:
        """Append a status sample."""
        if self.status and sample.values.get("Uptime", 0.0) < self.status[-1].values.get("Uptime", 0.0):
            self.status.clear()  # the server was restarted: its counters began again
        _append(self.status, sample, sample.at - KEEP_SECONDS)
        self.status = _thinned(self.status, sample.at - DENSE_STATUS_SECONDS, SPARSE_STATUS_SECONDS)

    def add_digests(self, sample: DigestSample) -> None:
        """Append a digest sample, and thin those that have grown old."""
        _append(self.digests, sample, sample.at - KEEP_SECONDS)
        self.digests = _thinned(self.digests, sample.at - DENSE_SECONDS, SPARSE_SECONDS)

    def add_connections(self, sample: ConnectionSample) -> None:
        """Append a sample of connections by owner."""
        _append(self.connections, sample, sample.at - KEEP_SECONDS)

    def add_clients(self, sample: ClientSample) -> None:
        """Append a sample of what clients did, and thin those that have grown old."""
        if self.clients and self.clients[-1].counted is not sample.counted:
            self.clients.clear()  # estimates and counts cannot be compared
        _append(self.clients, sample, sample.at - KEEP_SECONDS)
        self.clients = _thinned(self.clients, sample.at - DENSE_SECONDS, SPARSE_CLIENT_SECONDS)

    def add_activity(self, sample: ActivitySample) -> None:
        """Append a sample of running statements."""
        _append(self.activity, sample, sample.at - DENSE_SECONDS)

    def track(self, at: float, seen: Iterable[tuple[int, Owner, bool, float]]) -> None:
        """Note which connections exist: id, owner, whether idle, and for how many seconds in that state."""
        alive: dict[int, TrackedConnection] = {}
        for connection_id, owner, idle, seconds in seen:
            known = self.tracked.get(connection_id)
            if known is None or known.owner != owner:
                known = TrackedConnection(owner, at)
            if known.idle_since is None:
                known.idle_since = at - seconds if idle else None
            elif not idle or at - seconds > known.idle_since + _CLOCK_STEP:
                known.reused = True
            alive[connection_id] = known
        self.tracked = alive

    def see_setting(self, at: float, name: str, value: str, *, by_others: bool = True) -> SettingSeen:
        """Note a variable's value, and tell what was seen of it; `by_others` where Storex's sessions did not set it."""
        known = self.settings.get(name)
        if known is None:
            # It was not among those that were set: it has been since, unless this is the first time that anybody looks.
            looked = self.settings_seen_at if by_others else None
            known = SettingSeen(value, at, "", looked, None if looked is None else at)
        if known.value == value:
            known = replace(known, seen_at=at)
        else:
            known = SettingSeen(value, at, known.value, known.seen_at, at)
        self.settings[name] = known
        return known

    def digests_before(self, at: float, window: float) -> DigestSample | None:
        """The newest sample at least `window` seconds before `at`, or else the oldest there is."""
        return _before(self.digests, at - window)

    def status_before(self, at: float, window: float) -> StatusSample | None:
        """The newest status sample at least `window` seconds before `at`, or else the oldest there is."""
        return _before(self.status, at - window)

    def connections_before(self, at: float, window: float) -> ConnectionSample | None:
        """The newest sample of connections at least `window` seconds before `at`, or else the oldest there is."""
        return _before(self.connections, at - window)


_CLOCK_STEP = 1.5
"""Servers tell idle time in whole seconds, some of them."""


def _append(ring: deque[S], sample: S, oldest: float) -> None:
    ring.append(sample)
    while ring[0].at < oldest:
        ring.popleft()


def _thinned(ring: deque[S], dense_from: float, apart: float) -> deque[S]:
    kept: deque[S] = deque()
    for sample in ring:
        if sample.at >= dense_from or not kept or sample.at - kept[-1].at >= apart:
            kept.append(sample)
    return kept


def _before(ring: deque[S], at: float) -> S | None:
    found: S | None = None
    for sample in ring:
        if found is not None and sample.at > at:
            break
        found = sample
    return found
