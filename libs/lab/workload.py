"""Client programs at work: every connection is a thread that does one operation after another, at a limited rate."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections import deque
from collections.abc import Iterable

import pymysql

from libs.lab.accounts import Connection, Login, connection_id
from libs.lab.schema import ClientProgram

_RECONNECT_SECONDS = 0.5
_STOP_SECONDS = 1.0
_PROBLEMS_KEPT = 20
_LOCK_WAIT_TIMEOUT, _DEADLOCK = 1205, 1213


class Workload:
    """Client programs against one database, from `start` to `stop`."""

    def __init__(self, login: Login, database: str, programs: Iterable[ClientProgram]) -> None:
        self._clients = [
            _Client(login, database, program, seed=number)
            for program in programs
            for number in range(program.connections)
        ]
        self._began = 0.0

    def start(self) -> None:
        """Start every client; they connect by themselves and again after a failure."""
        self._began = time.monotonic()
        for client in self._clients:
            client.start()

    def pause(self) -> None:
        """Leave every connection open and idle until `resume`."""
        for client in self._clients:
            client.paused.set()

    def resume(self) -> None:
        """Go on after `pause`."""
        for client in self._clients:
            client.paused.clear()

    @property
    def seconds_at_work(self) -> float:
        """How long ago it was started; 0 before."""
        return time.monotonic() - self._began if self._began else 0.0

    @property
    def operations(self) -> int:
        """How many operations have been committed."""
        return sum(client.operations for client in self._clients)

    @property
    def problems(self) -> list[str]:
        """The errors met so far, except lock waits and deadlocks, which a client expects and tries again."""
        return [problem for client in self._clients for problem in client.problems]

    @property
    def connection_ids(self) -> list[int]:
        """The connections that are open now."""
        return [client.connection_id for client in self._clients if client.connection_id is not None]

    def stop(self) -> None:
        """Stop every client and close its connection; one that waits for a lock is killed at the server."""
        for client in self._clients:
            client.ask_to_stop()
        self._join(_STOP_SECONDS)
        for client in self._clients:
            if client.is_alive():
                client.kill_connection()
        self._join(_STOP_SECONDS)

    def _join(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for client in self._clients:
            client.join(max(0.0, until - time.monotonic()))


class _Client(threading.Thread):
    def __init__(self, login: Login, database: str, program: ClientProgram, *, seed: int) -> None:
        super().__init__(name=f"{program.name}-{seed}", daemon=True)
        self._login, self._database, self._program = login, database, program
        self._chance = random.Random(f"{program.name}{seed}")  # noqa: S311 - chooses rows, keeps no secret
        self._pause = program.connections / program.per_second
        self._stopping = threading.Event()
        self.paused = threading.Event()
        self.connection_id: int | None = None
        self.operations = 0
        self.problems: deque[str] = deque(maxlen=_PROBLEMS_KEPT)

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def kill_connection(self) -> None:
        """End its connection from another one of the same account, which may do that."""
        if self.connection_id is not None:
            with (
                contextlib.suppress(pymysql.Error),
                self._login.connect(program="lab") as other,
                other.cursor() as cursor,
            ):
                cursor.execute("KILL %s", (self.connection_id,))

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                connection = self._login.connect(program=self._program.name, database=self._database, autocommit=False)
            except pymysql.Error as problem:
                self._note(problem)
                self._stopping.wait(_RECONNECT_SECONDS)
                continue
            self.connection_id = connection_id(connection)
            try:
                self._work(connection)
            except pymysql.Error as problem:
                self._note(problem)
                self._stopping.wait(_RECONNECT_SECONDS)
            finally:
                self.connection_id = None
                with contextlib.suppress(pymysql.Error):
                    connection.close()

    def _work(self, connection: Connection) -> None:
        while not self._stopping.wait(self._chance.uniform(0.5, 1.5) * self._pause):
            if self.paused.is_set():
                continue
            operation = self._chance.choice(self._program.operations)
            try:
                with connection.cursor() as cursor:
                    operation(cursor, self._chance)
                connection.commit()
                self.operations += 1
            except pymysql.err.OperationalError as problem:
                if problem.args[0] not in (_LOCK_WAIT_TIMEOUT, _DEADLOCK):
                    raise
                connection.rollback()

    def _note(self, problem: pymysql.Error) -> None:
        if not self._stopping.is_set():
            self.problems.append(str(problem.args[0]) if problem.args else type(problem).__name__)
