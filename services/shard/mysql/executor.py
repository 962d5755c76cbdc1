"""The two worker threads of one instance, so that a hung database costs its own calls and nobody else's.

At most two sessions are open at a time, and a third for a moment to KILL what was given up. A call that is cancelled,
or whose time is up, ends the statement that runs on its behalf.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pymysql

from libs.config import ConfigError
from libs.core.clock import Clock
from libs.core.errors import Reason, StorexError
from services.shard.mysql.breaker import CircuitBreaker
from services.shard.mysql.connection import Claim, Connection, Login, SessionLimits
from services.shard.mysql.errors import is_lost, translate

T = TypeVar("T")

CONNECTIONS = 2
"""Sessions with one database at a time."""
SESSION_SECONDS = 300.0
"""How long a session is used: servers give a session the global privileges that it began with."""
QUEUE = 32
"""Calls that may wait for one of them."""

log = logging.getLogger(__name__)


class InstanceExecutor:
    """Runs blocking work on sessions of one database.

    `login` is asked before each use, so that a changed address or password takes effect at once; it may raise
    ConfigError.
    """

    def __init__(self, login: Callable[[], Login], clock: Clock, limits: SessionLimits | None = None) -> None:
        self._login = login
        self._limits = limits or SessionLimits()
        self._breaker = CircuitBreaker(clock)
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="storex-db")
        self._killers = ThreadPoolExecutor(1, thread_name_prefix="storex-kill")
        self._sessions = threading.Condition()
        self._in_use = 0
        self._idle: list[Connection] = []
        self._pending = 0
        self._tried: Login | None = None
        self._clock = clock
        self._renewed_at = clock.monotonic()

    def renew(self) -> None:
        """Work that begins from now on gets new sessions, with the privileges that the account has by then."""
        self._renewed_at = self._clock.monotonic()

    async def run(self, work: Callable[[Connection], T], *, seconds: float | None = None) -> T:
        """Run `work` on a session, for `seconds` at most (the statement limit unless given).

        Raises StorexError: DATABASE_BUSY when too many calls wait, DATABASE_TIMEOUT when the time is up, or what
        the driver's error translates to.
        """
        if self._pending >= CONNECTIONS + QUEUE:
            raise StorexError(Reason.DATABASE_BUSY)
        allowed = self._limits.connect + self._limits.statement if seconds is None else seconds
        claim = Claim()
        self._pending += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, self._perform, work, claim, allowed)
        future.add_done_callback(self._finished)
        try:
            async with asyncio.timeout(allowed):
                return await asyncio.shield(future)
        except TimeoutError as error:
            self._abandon(claim)
            failure = translate(error)
            self._breaker.failed(failure)
            raise failure from None
        except asyncio.CancelledError:
            self._abandon(claim)
            raise

    async def close(self) -> None:
        """End all sessions; work that still runs is given the time of its limits."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        await asyncio.to_thread(self._killers.shutdown, wait=True)
        for connection in self._idle:
            await asyncio.to_thread(connection.close)
        self._idle.clear()

    def _finished(self, future: asyncio.Future[T]) -> None:
        self._pending -= 1
        if not future.cancelled():
            future.exception()  # an abandoned failure has been told already

    def _perform(self, work: Callable[[Connection], T], claim: Claim, seconds: float) -> T:
        try:
            return self._on_session(work, claim, seconds)
        except (pymysql.MySQLError, OSError, ConfigError) as error:
            failure = translate(error)
            if not claim.condemned:  # else it was ended from here
                self._breaker.failed(failure)
            raise failure from error

    def _on_session(self, work: Callable[[Connection], T], claim: Claim, seconds: float) -> T:
        login = self._login()
        if login != self._tried:  # what was wrong with the old one says nothing about the new one
            self._tried = login
            self._breaker.succeeded()
        self._breaker.check()
        connection, reused = self._take(login)
        try:
            return self._use(connection, work, claim, seconds)
        except pymysql.MySQLError as error:
            if not (reused and is_lost(error)):
                raise
        connection = self._open(login)
        with self._sessions:
            self._in_use += 1
        return self._use(connection, work, claim, seconds)

    def _use(self, connection: Connection, work: Callable[[Connection], T], claim: Claim, seconds: float) -> T:
        reusable = False
        try:
            if not claim.take(connection):
                raise StorexError(Reason.CANCELLED)
            connection.limit(seconds)
            result = work(connection)
            reusable = True
        finally:
            reusable = claim.release() and reusable and not connection.is_spent
            self._give_back(connection, reusable)
        self._breaker.succeeded()
        return result

    def _take(self, login: Login) -> tuple[Connection, bool]:
        with self._sessions:
            stale = [connection for connection in self._idle if not self._is_usable(connection, login)]
            self._idle = [connection for connection in self._idle if connection not in stale]
            found = self._idle.pop() if self._idle else None
        for connection in stale:
            connection.close()
        reused = found is not None
        if found is None:
            found, reused = self._connect(login)
        with self._sessions:
            self._in_use += 1
        return found, reused

    def _is_usable(self, connection: Connection, login: Login) -> bool:
        oldest = max(self._renewed_at, self._clock.monotonic() - SESSION_SECONDS)
        return connection.login == login and connection.opened_at >= oldest

    def _open(self, login: Login) -> Connection:
        began = self._clock.monotonic()
        connection = Connection(login, self._limits)
        connection.opened_at = began
        return connection

    def _connect(self, login: Login) -> tuple[Connection, bool]:
        """A new session; where the server takes no more, the one that the other thread works on, once it is free."""
        try:
            return self._open(login), False
        except pymysql.MySQLError as error:
            if translate(error).reason is not Reason.DATABASE_TOO_MANY_CONNECTIONS:
                raise
            with self._sessions:
                self._sessions.wait_for(lambda: self._idle or not self._in_use, self._limits.statement)
                if not self._idle or self._idle[-1].login != login:
                    raise
                return self._idle.pop(), True

    def _give_back(self, connection: Connection, reusable: bool) -> None:
        with self._sessions:
            self._in_use -= 1
            if reusable:
                self._idle.append(connection)
            self._sessions.notify_all()
        if not reusable:
            connection.close()

    def _abandon(self, claim: Claim) -> None:
        connection = claim.condemn()
        if connection is not None:
            with contextlib.suppress(RuntimeError):  # closing: the threads are gone, and the session with them
                self._killers.submit(self._kill, connection)

    def _kill(self, victim: Connection) -> None:
        try:
            killer = Connection(victim.login, self._limits)
        except (pymysql.MySQLError, OSError) as error:
            fields = {"reason": translate(error).reason.name}
            log.warning("could not connect to end an abandoned statement", extra={"fields": fields})
            return
        try:
            killer.kill(victim.connection_id)
        except (pymysql.MySQLError, OSError):
            pass  # it has ended by itself
        finally:
            killer.close()
