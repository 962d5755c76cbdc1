"""Finds the database servers of this machine, and starts and stops them in directories of their own.

Servers are told apart by what `--version` says: Debian's `mysqld` is MariaDB. `STOREX_MYSQLD` names one more by its
command line, options included.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import pymysql

from libs.lab import datadir
from libs.lab.errors import EngineError

Kind = Literal["MariaDB", "MySQL"]
HOST = "127.0.0.1"
READY_SECONDS = 60.0
"""How long a server may take until it answers."""

_SEARCHED = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/mysql/bin")
_VERSION = re.compile(r"\bVer\s+(\d+\.\d+\.\d+)(\S*)")
_LINES_OF_A_START = 200
_GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True, slots=True)
class EngineBinary:
    """A database server that can be started here."""

    kind: Kind
    version: str
    command: tuple[str, ...]

    def start(
        self,
        directory: Path,
        *,
        options: Sequence[str] = (),
        port: int | None = None,
        performance_schema: bool = True,
    ) -> RunningEngine:
        """Start the server in `directory`, with its data from before if there is any, and wait until it answers.

        `options` come last and so win over the lab's own. Without `port` a free one is taken. Raises EngineError with
        the end of the error log.
        """
        directory.mkdir(parents=True, exist_ok=True)
        password = datadir.prepare(self.kind, self.command, directory)
        attempts = 1 if port else 3  # somebody may take a free port before the server does
        for attempt in range(attempts):
            chosen = port or free_port()
            arguments = datadir.server_options(self.kind, directory, chosen, performance_schema=performance_schema)
            engine = _launch(self, directory, chosen, password, [*self.command, *arguments, *options])
            try:
                engine.wait_until_ready()
            except BaseException as problem:
                engine.kill()
                if isinstance(problem, EngineError) and attempt + 1 < attempts and "Bind on TCP/IP" in str(problem):
                    continue
                raise
            return engine
        raise AssertionError("unreachable: the last attempt returns or raises")


@dataclass(slots=True)
class RunningEngine:
    """A server that runs, with its administrator's account; use as a context manager, or call `stop`."""

    binary: EngineBinary
    directory: Path
    host: str
    port: int
    pid: int
    user: str
    password: str = field(repr=False)
    command: tuple[str, ...] = field(repr=False)
    guard: subprocess.Popen[str] = field(repr=False)

    @property
    def kind(self) -> Kind:
        """MariaDB or MySQL."""
        return self.binary.kind

    @property
    def version(self) -> str:
        """The server's version, without what comes after its numbers."""
        return self.binary.version

    @property
    def error_log(self) -> Path:
        """Where it writes its error log."""
        return self.directory / datadir.ERROR_LOG

    @property
    def slow_log(self) -> Path:
        """Where it writes its slow query log."""
        return self.directory / datadir.SLOW_LOG

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.guard.poll() is None

    def connect(
        self, *, user: str | None = None, password: str | None = None, database: str | None = None, **options: Any
    ) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """A connection of its own, as the administrator unless told otherwise; autocommit is on by default."""
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=user or self.user,
            password=self.password if user is None else password or "",
            database=database,
            **{"autocommit": True, "connect_timeout": 5, "ssl_disabled": True, **options},
        )

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement as the administrator in a connection of its own and return its rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            return list(cursor.fetchall())

    def wait_until_ready(self, seconds: float = READY_SECONDS) -> None:
        """Wait until it accepts connections; raises EngineError when it ends first or takes longer."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not self.is_running:
                raise EngineError(f"{self.kind} {self.version} did not start: {self._last_words()}")
            try:
                self.connect(connect_timeout=2).close()
            except pymysql.err.OperationalError:
                time.sleep(0.03)
            else:
                return
        raise EngineError(f"{self.kind} {self.version} did not answer within {seconds:g} s: {self._last_words()}")

    def stop(self, *, seconds: float = 20.0) -> None:
        """Shut it down in order, or kill it when that takes longer; nothing happens if it has ended."""
        if self.is_running:
            os.kill(self.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.guard.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would; its data stay and can be started again."""
        if self.guard.stdin is not None and not self.guard.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # the guard went with the engine
                self.guard.stdin.write("end")
                self.guard.stdin.close()
        self.guard.wait()
        if self.guard.stdout is not None:
            self.guard.stdout.close()

    def restart(self) -> None:
        """Stop it in order and start it again with the same data, port and options. Raises EngineError."""
        self.stop()
        self.guard, self.pid = _guarded(self.directory, self.command)
        self.wait_until_ready()

    def _last_words(self) -> str:
        lines: list[str] = []
        for log in (self.error_log, self.directory / datadir.OUTPUT_LOG):
            if log.exists():
                lines += log.read_text(errors="replace").splitlines()[-_LINES_OF_A_START:]
        return " | ".join([line for line in lines if "ERROR" in line][-5:] or lines[-5:]) or "it said nothing"

    def __enter__(self) -> RunningEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def find_engines(environment: Mapping[str, str] | None = None) -> list[EngineBinary]:
    """The servers of this machine, each once: that of `STOREX_MYSQLD`, then those on the path and its usual places.

    Raises EngineError when `STOREX_MYSQLD` names something that is not a server.
    """
    environment = os.environ if environment is None else environment
    found: dict[tuple[str, str], EngineBinary] = {}
    for command, required in _candidates(environment):
        binary = _identify(command)
        if binary is not None:
            found.setdefault((binary.kind, binary.version), binary)
        elif required:
            raise EngineError(
                "STOREX_MYSQLD does not name a MySQL or MariaDB server: its command line with `--version` added must "
                "print the version. Correct or unset it."
            )
    return list(found.values())


def require_engines() -> list[EngineBinary]:
    """Like `find_engines`, but raises EngineError when there is none."""
    engines = find_engines()
    if not engines:
        raise EngineError(
            "No database server was found. Install the package mariadb-server-core, or name a server's command line in "
            "STOREX_MYSQLD."
        )
    return engines


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[tuple[str, ...], bool]]:
    named = shlex.split(environment.get("STOREX_MYSQLD", ""))
    if named:
        yield _without_option_files(named), True
    path = os.pathsep.join((environment.get("PATH", os.defpath), *_SEARCHED))
    seen: set[str] = set()
    for name in ("mariadbd", "mysqld"):
        location = shutil.which(name, path=path)
        if location and os.path.realpath(location) not in seen:
            seen.add(os.path.realpath(location))
            yield (location, "--no-defaults"), False


def _without_option_files(command: list[str]) -> tuple[str, ...]:
    """The command with `--no-defaults` as its first option, where servers want it, unless it chooses its own files."""
    if any(word == "--no-defaults" or word.startswith("--defaults-") for word in command):
        return tuple(command)
    first = next((place for place, word in enumerate(command) if word.startswith("--")), len(command))
    return (*command[:first], "--no-defaults", *command[first:])


def _identify(command: tuple[str, ...]) -> EngineBinary | None:
    try:
        answer = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = _VERSION.search(answer.stdout)
    if answer.returncode != 0 or version is None:
        return None
    return EngineBinary("MariaDB" if "mariadb" in version[2].lower() else "MySQL", version[1], command)


def _launch(binary: EngineBinary, directory: Path, port: int, password: str, command: list[str]) -> RunningEngine:
    guard, pid = _guarded(directory, command)
    user = datadir.ADMINISTRATOR
    return RunningEngine(binary, directory, HOST, port, pid, user, password, tuple(command), guard)


def _guarded(directory: Path, command: Sequence[str]) -> tuple[subprocess.Popen[str], int]:
    """Start a server under its guard; returns the guard and the server's process id. Raises EngineError."""
    with (directory / datadir.OUTPUT_LOG).open("ab") as output:
        guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD), str(datadir.TEMPLATES.root), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,  # Ctrl-C is for the lab, which then stops its engines in order
        )
    assert guard.stdout is not None  # noqa: S101 - asked for above
    pid = guard.stdout.readline().strip()
    if not pid:
        guard.wait()
        raise EngineError(f"{command[0]} could not be run. See {directory / datadir.OUTPUT_LOG}.")
    return guard, int(pid)
