"""The production store: a database of the region's own on a MySQL or MariaDB server, never one that is investigated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pymysql

from libs.config import ConfigError, StoreDatabase
from libs.core.errors import Reason, StorexError
from services.shard.mysql.connection import LOOPBACK, tls_context
from services.shard.stores.sql_store import Params, SqlHistoryStore, open_store

Connect = Callable[[], "pymysql.Connection[Any]"]

_FULL = frozenset({3, 20, 1021, 1114})
"""EE_WRITE, EE_DISK_FULL, ER_DISK_FULL and ER_RECORD_FILE_FULL: the server has no room."""


class MySqlDatabase:
    """A Database over one connection, which is made anew after it was lost."""

    table_options = "ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

    def __init__(self, connect: Connect) -> None:
        """`connect` opens a connection with autocommit on; it may raise the driver's errors."""
        self._connect = connect
        self._db: pymysql.Connection[Any] | None = None
        self._in_transaction = False
        self.rows("SELECT 1")

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """See Database; how durable a commit is, is the server's own setting, and every commit is alike."""
        del durable
        self.execute("START TRANSACTION")
        self._in_transaction = True
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with suppress(StorexError):
                self.execute("ROLLBACK")
            raise
        finally:
            self._in_transaction = False

    def execute(self, sql: str, params: Params = ()) -> None:
        """See Database."""
        self._run(lambda cursor: cursor.execute(_placed(sql), tuple(params) or None))

    def execute_many(self, sql: str, params: Sequence[Params]) -> None:
        """See Database."""
        self._run(lambda cursor: cursor.executemany(_placed(sql), [tuple(row) for row in params]))

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """See Database."""

        def fetch(cursor: Any) -> list[tuple[Any, ...]]:
            cursor.execute(_placed(sql), tuple(params) or None)
            return list(cursor.fetchall())

        found: list[tuple[Any, ...]] = self._run(fetch)
        return found

    def close(self) -> None:
        """See Database."""
        if self._db is not None:
            with suppress(pymysql.MySQLError, OSError):
                self._db.close()

    def _run(self, work: Callable[[Any], Any]) -> Any:
        try:
            if self._db is None or not self._db.open:
                if self._in_transaction:
                    raise StorexError(Reason.STORE_UNAVAILABLE, detail="the connection was lost in a transaction")
                self._db = self._connect()
            with self._db.cursor() as cursor:
                return work(cursor)
        except (pymysql.MySQLError, OSError) as error:
            raise self._translated(error) from error

    def _translated(self, error: Exception) -> StorexError:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if isinstance(error, pymysql.OperationalError | pymysql.InterfaceError | OSError) and number not in _FULL:
            self.close()  # in doubt a fresh connection is better
        reason = Reason.STORE_FULL if number in _FULL else Reason.STORE_UNAVAILABLE
        return StorexError(reason, detail=f"{type(error).__name__}: {error}")


def _placed(sql: str) -> str:
    return sql.replace("?", "%s")


CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 30.0
"""How long the store's server may take, in seconds; a roll-up of a large region takes a while."""


def connect_to(config: StoreDatabase) -> Connect:
    """How to connect to a region's store; a password, read anew each time, that is not there is a refused login."""

    def connect() -> pymysql.Connection[Any]:
        try:
            password = config.password()
        except ConfigError as error:
            raise pymysql.OperationalError(1045, str(error)) from error
        return pymysql.connect(
            host=config.host,
            port=config.port,
            user=config.user,
            password=password,
            database=config.database,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
            write_timeout=ANSWER_SECONDS,
            program_name="storex-store",
            ssl=tls_context(config.tls),
            ssl_disabled=config.tls is None and config.host in LOOPBACK,
        )

    return connect


def open_mysql(connect: Connect) -> SqlHistoryStore:
    """Open a store in the database that `connect` selects, and bring it up to date. Raises StorexError."""
    return open_store(MySqlDatabase(connect))
