"""Samples one instance: counters and sessions every second, digests as often as their cost allows."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from dataclasses import dataclass

from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.facts.growth import ENGINE_COUNTERS_AGE, STATUS_STATEMENTS, status_of
from services.shard.facts.replica_rows import replica_lags
from services.shard.facts.sessions import IDLE, SERVER_USERS, host_without_port, programs_of
from services.shard.mysql.connection import Row
from services.shard.mysql.source import ResultSets, Source
from services.shard.mysql.statements import RECENT_SECONDS, Statement
from services.shard.sampler.client_work import Account, ClientMeter, Counted
from services.shard.sampler.history import (
    NO_WORK,
    ActivitySample,
    ClientSample,
    ClientWork,
    ConnectionSample,
    DigestSample,
    History,
    Owner,
    RunningStatement,
    StatusSample,
)
from services.shard.sampler.metrics import STATUS_VARIABLES
from services.shard.sampler.recorder import Recorder
from services.shard.view import real, text, whole
from services.shard.work.digest_window import cumulative
from services.shard.work.seen_texts import SeenTexts
from services.shard.work.statement_texts import StatementTexts

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
DIGEST_SECONDS = (2.0, 30.0)
"""Shortest and longest time between two samples of the digests."""
DIGEST_SHARE = 0.01
"""Largest share of time that reading the digests may take."""
RETRY_SECONDS = (1.0, 10.0)
"""Shortest and longest pause after a failure."""

COUNTERS_SECONDS, COUNTERS_SHARE = 2.0, 0.005
"""Shortest time between two readings of the counters outside the status, and the largest share of time for them."""
CLIENTS_SECONDS, CLIENTS_SHARE = (2.0, 30.0), 0.01
"""Shortest and longest time between two looks at what clients did, and the largest share of time for them."""
OWN_PROGRAM = "storex"
FULL_DIGESTS_SECONDS = 300.0
"""How often all digests are read, not only those that were seen lately: the engine drops some, or all."""
_COMMITTING = ("commit", "waiting for handler commit", "waiting for semi-sync ack")
"""How the states of sessions that commit begin."""
SESSIONS_COMMITTING, REPLICA_LAG = "sessions_committing", "replica_lag_seconds"
LOCK_STATES = re.compile(r"\block|\bwaiting for table flush", re.IGNORECASE)
"""What the states of sessions that wait for a lock, or for others to let go of a table, hold."""


@dataclass(slots=True)
class Seen:
    """Whether the instance answers, as its sampler sees it."""

    answered_at: float | None = None
    """Seconds since the epoch; None if it never answered."""
    failure: StorexError | None = None
    is_replica: bool | None = None
    server_id: int = 0
    """By which its replicas know it; 0 until it has said so."""
    server_uuid: str = ""


class Sampler:
    """Fills a history; `run` goes on until it is cancelled."""

    def __init__(
        self,
        name: str,
        source: Source,
        history: History,
        texts: StatementTexts,
        clock: Clock,
        recorder: Recorder | None = None,
        seen_texts: SeenTexts | None = None,
    ) -> None:
        """Without a recorder nothing outlasts the process; without `seen_texts` no text is kept at all."""
        self._name = name
        self._source = source
        self._history = history
        self._texts = texts
        self._clock = clock
        self._recorder = recorder
        self._seen_texts = seen_texts
        self._next_digests = 0.0
        self._next_full_digests = 0.0
        self._next_counters = 0.0
        self._next_clients = 0.0
        self._meter = ClientMeter()
        self._counters: dict[str, float] = {}
        self._counters_at = 0.0
        self.seen = Seen()

    async def run(self) -> None:
        """Sample for ever; failures are remembered in `seen` and tried again ever more seldom."""
        pause = RETRY_SECONDS[0]
        await asyncio.sleep(random.uniform(0, 0.2))  # noqa: S311 - spreads the instances of a shard over the second
        while True:
            began = self._clock.monotonic()
            try:
                await self.sample()
                pause = RETRY_SECONDS[0]
                await asyncio.sleep(max(0.05, TICK_SECONDS - (self._clock.monotonic() - began)))
            except Exception as error:
                self._note(error if isinstance(error, StorexError) else StorexError(Reason.INTERNAL))
                if not isinstance(error, StorexError):  # a mistake of Storex's own must not end the sampling
                    log.exception("a sample failed")
                await asyncio.sleep(pause)
                pause = min(RETRY_SECONDS[1], pause * 2)

    def _note(self, error: StorexError) -> None:
        if self.seen.failure is None or self.seen.failure.reason is not error.reason:
            fields = {"instance": self._name, "reason": error.reason.name}
            log.warning("an instance does not answer", extra={"fields": fields})
        self.seen.failure = error

    async def sample(self) -> None:
        """One look: counters and sessions, and the digests when it is time for them."""
        if self._clock.monotonic() >= self._next_counters:
            await self._read_counters()
        results = await self._source.read(
            *STATUS_STATEMENTS, Statement.PROCESSES, Statement.PROGRAMS, Statement.REPLICA_STATUS
        )
        at = self._clock.monotonic()
        self.seen.answered_at = self._clock.now()
        self.seen.failure = None
        if results.has(Statement.REPLICA_STATUS):
            self.seen.is_replica = bool(results.rows(Statement.REPLICA_STATUS))
        status = self._add_status(at, results)
        figures = self._add_sessions(at, results)
        if self._recorder is not None:
            self._recorder.sampled(at, status, figures, results.capabilities.version)
        if at >= self._next_clients:
            await self._sample_clients(results, status)
        if at >= self._next_digests:
            await self._sample_digests()

    async def _read_counters(self) -> None:
        """What the engine counts outside its status; it goes into the samples until it is read again."""
        began = self._clock.monotonic()
        results = await self._source.read(Statement.ENGINE_COUNTERS, Statement.SERVER)
        for row in results.rows(Statement.SERVER):
            self.seen.server_id, self.seen.server_uuid = whole(row.get("server_id")), text(row.get("server_uuid"))
        now = self._clock.monotonic()
        self._next_counters = now + max(COUNTERS_SECONDS, (now - began) / COUNTERS_SHARE)
        self._counters_at = now
        for row in results.rows(Statement.ENGINE_COUNTERS):
            self._counters[text(row["variable_name"])] = real(row["value"])

    async def _sample_clients(self, sessions: ResultSets, status: dict[str, float]) -> None:
        """What each client did, by the engine's counters; where there are none, by the sessions seen at work."""
        if not sessions.has(Statement.PROCESSES):
            return
        began = self._clock.monotonic()
        # The accounts first: they are then behind their sessions, and never seem to have done more than these.
        results = await self._source.read(Statement.ACCOUNT_WORK, Statement.SESSION_WORK)
        at = self._clock.monotonic()
        shortest, longest = CLIENTS_SECONDS
        self._next_clients = at + min(longest, max(shortest, (at - began) / CLIENTS_SHARE))
        owners = _owners(sessions)
        counted = results.has(Statement.ACCOUNT_WORK)
        if counted:
            totals = self._meter.count(Counted(owners, _session_work(results), _account_work(results)))
        else:
            active = [whole(row["connection_id"]) for row in sessions.rows(Statement.PROCESSES) if _worked(row)]
            totals = self._meter.guess(owners, active, status.get("Questions", 0.0), status.get("Connections", 0.0))
        self._history.add_clients(ClientSample(at, totals, counted))

    async def _sample_digests(self) -> None:
        began = self._clock.monotonic()
        before = self._history.digests[-1] if self._history.digests else None
        full = before is None or began >= self._next_full_digests or began - before.at > RECENT_SECONDS - 30.0
        statement = Statement.DIGESTS if full else Statement.RECENT_DIGESTS
        results = await self._source.read(statement)
        at = self._clock.monotonic()
        shortest, longest = DIGEST_SECONDS
        self._next_digests = at + min(longest, max(shortest, (at - began) / DIGEST_SHARE))
        if not results.has(statement):
            return
        if full:
            self._next_full_digests = began + FULL_DIGESTS_SECONDS
        rows = results.rows(statement)
        for row in rows:
            if row["digest"] is not None:
                self._texts.of_engine(text(row["digest"]), text(row["digest_text"]))
        known = {} if before is None else before.counters
        counters = cumulative(rows, known) if full else {**known, **cumulative(rows, known)}
        sample = DigestSample(at, counters)
        self._history.add_digests(sample)
        if self._recorder is not None:
            self._recorder.worked(sample)

    def _add_status(self, at: float, results: ResultSets) -> dict[str, float]:
        values = {name: real(value) for name, value in status_of(results).items() if name in STATUS_VARIABLES}
        states = [text(row["state"]).lower() for row in results.rows(Statement.PROCESSES) if row["command"] != IDLE]
        committing = {SESSIONS_COMMITTING: float(sum(state.startswith(_COMMITTING) for state in states))}
        lags = replica_lags(results.rows(Statement.REPLICA_STATUS))
        lag = {REPLICA_LAG: max(lags)} if lags else {}
        age = {ENGINE_COUNTERS_AGE: round(at - self._counters_at, 3)} if self._counters else {}
        self._history.add_status(StatusSample(at, {**self._counters, **age, **committing, **lag, **values}))
        return values

    def _add_sessions(self, at: float, results: ResultSets) -> dict[str, float]:
        programs = programs_of(results)
        counts: dict[Owner, int] = {}
        tracked: list[tuple[int, Owner, bool, float]] = []
        running: list[RunningStatement] = []
        for row in results.rows(Statement.PROCESSES):
            connection_id = whole(row["connection_id"])
            owner = (text(row["user"]), host_without_port(text(row["host"])), programs.get(connection_id, ""))
            counts[owner] = counts.get(owner, 0) + 1
            tracked.append((connection_id, owner, row["command"] == IDLE, real(row["seconds"])))
            if row["info"] and owner[2] != OWN_PROGRAM:
                running.append(self._running(connection_id, row))
        self._history.add_connections(ConnectionSample(at, counts))
        self._history.track(at, tracked)
        self._history.add_activity(ActivitySample(at, tuple(running)))
        if not results.has(Statement.PROCESSES):
            return {}
        return {
            "sessions_idle": float(sum(idle for _, _, idle, _ in tracked)),
            "sessions_waiting_for_locks": float(
                sum(LOCK_STATES.search(text(row["state"])) is not None for row in results.rows(Statement.PROCESSES))
            ),
            "longest_statement": max((statement.seconds for statement in running), default=0.0),
        }

    def _running(self, connection_id: int, row: Row) -> RunningStatement:
        known = self._texts.of_text(text(row["info"]))
        if self._seen_texts is not None:
            self._seen_texts.note(known.digest, text(row["schema_name"]), text(row["info"]))
        return RunningStatement(
            schema=text(row["schema_name"]),
            digest=known.digest,
            text=known.text,
            tables=known.tables,
            connection_id=connection_id,
            seconds=real(row["seconds"]),
            rows_examined=None if row["rows_examined"] is None else whole(row["rows_examined"]),
            waits_for_lock=LOCK_STATES.search(text(row["state"])) is not None,
        )


def _owners(results: ResultSets) -> dict[int, Owner]:
    """Who is behind each session of a client."""
    programs = programs_of(results)
    found = {}
    for row in results.rows(Statement.PROCESSES):
        number, user = whole(row["connection_id"]), text(row["user"])
        if user not in SERVER_USERS:
            found[number] = (user, host_without_port(text(row["host"])), programs.get(number, ""))
    return found


def _worked(row: Row) -> bool:
    """Whether a session works, or did since about the last look."""
    return row["command"] != IDLE or real(row["seconds"]) < CLIENTS_SECONDS[0]


def _session_work(results: ResultSets) -> dict[int, ClientWork]:
    return {
        whole(row["connection_id"]): ClientWork(real(row["statements"]), real(row["failed"]))
        for row in results.rows(Statement.SESSION_WORK)
    }


def _account_work(results: ResultSets) -> dict[Account, ClientWork]:
    found: dict[Account, ClientWork] = {}
    for row in results.rows(Statement.ACCOUNT_WORK):
        account = (text(row["user"]), text(row["host"]))
        work = ClientWork(real(row["statements"]), real(row["failed"]), real(row["connects"]))
        found[account] = found.get(account, NO_WORK) + work
    return found
