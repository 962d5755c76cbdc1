"""One bounded, read-only session with a server. Blocking: used only in the threads of an instance's executor."""

from __future__ import annotations

import codecs
import contextlib
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any

import pymysql
import pymysql.cursors

from libs.config import TlsFiles
from services.shard.mysql.dialects import Dialect, dialect_of

Row = dict[str, Any]
"""A result row by column name, in lower case."""

PROGRAM_NAME = "storex"
"""What Storex's sessions call themselves."""
_SOCKET_MARGIN = 2.0
"""How much longer the socket waits than the server may take, in seconds: the server's own error says more."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where to connect, and as whom; two equal ones may share a session."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """The bounds of a session, in seconds."""

    connect: float = 3.0
    statement: float = 5.0


class Connection:
    """A session with its limits set; `dialect` is that of the server it reached."""

    def __init__(self, login: Login, limits: SessionLimits) -> None:
        self.login = login
        self.opened_at = 0.0
        """When it was, by the clock of whoever opened it."""
        self.is_spent = False
        """Whether it must not be used for anything else."""
        self._limits = limits
        self._limit = 0.0
        self._raw: pymysql.Connection[Any] = _connect(login, limits)
        self._raw.encoding = _LOSSY_UTF8
        self.connection_id = int(self._raw.thread_id())  # type: ignore[no-untyped-call]
        try:
            self.version = str(self._raw.get_server_info())  # type: ignore[no-untyped-call]
            self.dialect: Dialect = dialect_of(self.version)
            for setting in self.dialect.session_settings:
                self._execute(setting)
            self.limit(limits.statement)
        except BaseException:
            self.close()
            raise

    def limit(self, seconds: float) -> None:
        """Let each following statement run for so many seconds at most, and never longer than the session's own."""
        wanted = min(max(seconds, 0.05), self._limits.statement)
        if abs(wanted - self._limit) > 0.25 * self._limit:  # an exact limit is not worth a round trip each time
            self._execute(self.dialect.statement_limit(wanted))
            self._limit = wanted

    def rows(self, sql: str, values: tuple[str, ...] | None = None) -> list[Row]:
        """The rows of a statement, with column names in lower case. Raises the driver's errors."""
        cursor = self._execute(sql, values)
        names = [column[0].lower() for column in cursor.description or ()]
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]

    def explain(self, schema: str, sql: str) -> list[Row]:
        """The plan of one SELECT, as the table that both engines can print. The session is not to be used again."""
        self.is_spent = True  # it has the applications' schema as its own from now on
        if schema:
            self._raw.select_db(schema)
        return self.rows(f"{self.dialect.explain} {sql}")

    def kill(self, connection_id: int) -> None:
        """End another session of the same account, whatever it does."""
        self._execute(f"KILL CONNECTION {connection_id:d}")

    def close(self) -> None:
        """End the session, politely if the server listens."""
        with contextlib.suppress(pymysql.MySQLError, OSError):
            self._raw.close()

    def _execute(self, sql: str, values: tuple[str, ...] | None = None) -> pymysql.cursors.Cursor:
        cursor: pymysql.cursors.Cursor = self._raw.cursor()
        cursor.execute(sql, values)
        return cursor


LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that are reached without a network: what goes there needs no encryption."""


def _connect(login: Login, limits: SessionLimits) -> pymysql.Connection[Any]:
    try:
        return pymysql.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            password=login.password,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=limits.connect,
            read_timeout=limits.statement + _SOCKET_MARGIN,
            write_timeout=limits.statement + _SOCKET_MARGIN,
            program_name=PROGRAM_NAME,
            local_infile=False,
            ssl=tls_context(login.tls),
            # Elsewhere a session is encrypted where the server can, and without `tls:` nobody vouches for the server.
            ssl_disabled=login.tls is None and login.host in LOOPBACK,
        )
    except (pymysql.MySQLError, OSError):
        raise
    except Exception as error:  # whatever else listens there may make the driver stumble anywhere in the greeting
        raise pymysql.OperationalError(2003, f"no database greeting: {type(error).__name__}") from error


def tls_context(files: TlsFiles | None) -> ssl.SSLContext | None:
    """The encryption that these files ask for; None where nobody vouches for the server."""
    if files is None:
        return None
    context = ssl.create_default_context(cafile=str(files.ca) if files.ca else None)
    # A private authority vouches for its own servers, whose certificates seldom carry the address that is dialled.
    context.check_hostname = files.ca is None
    if files.cert:
        context.load_cert_chain(str(files.cert), str(files.key) if files.key else None)
    return context


_LOSSY_UTF8 = "storex_lossy_utf8"
"""Statement texts may hold bytes of any character set: they must not break the reading of everything else."""


def _find_codec(name: str) -> codecs.CodecInfo | None:
    if name != _LOSSY_UTF8:
        return None
    return codecs.CodecInfo(
        name=_LOSSY_UTF8,
        encode=codecs.utf_8_encode,
        decode=lambda data, _errors="strict": codecs.utf_8_decode(data, "replace", True),
    )


codecs.register(_find_codec)


class Claim:
    """Says which session a piece of work uses, to whoever may have to end it from outside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._condemned = False

    def take(self, connection: Connection) -> bool:
        """Note the session; False when the work was given up before it began."""
        with self._lock:
            self._connection = None if self._condemned else connection
            return not self._condemned

    def condemn(self) -> Connection | None:
        """Give the work up: its session, if it has one, must be ended and never be used again."""
        with self._lock:
            self._condemned = True
            return self._connection

    @property
    def condemned(self) -> bool:
        """Whether the work was given up."""
        return self._condemned

    def release(self) -> bool:
        """The work is done: whether its session may be used again."""
        with self._lock:
            self._connection = None
            return not self._condemned
