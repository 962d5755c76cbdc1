"""The embedded store: one SQLite file, readable by its owner only.

In WAL mode readers and the one writer do not wait for each other, and a commit is an append without a flush to the
disk (`synchronous = NORMAL`): a kill undoes nothing, a power cut perhaps the last seconds of samples. What must survive
that as well is written with `durable`.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from libs.core.errors import Reason, StorexError
from services.shard.stores.excerpt import Excerpt, put
from services.shard.stores.sql_store import Params, SqlHistoryStore, migrate, open_store

BUSY_SECONDS = 5.0
"""How long to wait for another process that writes the same file: an old shard on its way out."""


class SqliteDatabase:
    """A Database in a file, or without a path in memory."""

    table_options = "WITHOUT ROWID"

    def __init__(self, path: Path | None) -> None:
        with _translated():
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._db = sqlite3.connect(
                path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """See Database."""
        if durable:
            self.execute("PRAGMA synchronous = FULL")
        try:
            self.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self.execute("ROLLBACK")
                raise
        finally:
            if durable:
                self.execute("PRAGMA synchronous = NORMAL")

    def execute(self, sql: str, params: Params = ()) -> None:
        """See Database."""
        with _translated():
            self._db.execute(sql, tuple(params))

    def execute_many(self, sql: str, params: Sequence[Params]) -> None:
        """See Database."""
        with _translated():
            self._db.executemany(sql, [tuple(row) for row in params])

    def rows(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """See Database."""
        with _translated():
            return self._db.execute(sql, tuple(params)).fetchall()

    def close(self) -> None:
        """See Database."""
        self._db.close()


def open_sqlite(path: Path) -> SqlHistoryStore:
    """Open or create a store, and bring it up to date. Raises StorexError STORE_FULL or STORE_UNAVAILABLE."""
    return open_store(SqliteDatabase(path))


def open_excerpt(instance: str, excerpt: Excerpt) -> SqlHistoryStore:
    """A store in memory that holds an excerpt, as of an instance of that name. Raises StorexError."""
    database = SqliteDatabase(None)
    migrate(database)
    with database.transaction():
        put(database, instance, excerpt)
    return SqlHistoryStore(database)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        full = isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
        full = full or (isinstance(error, OSError) and error.errno in _NO_ROOM)
        reason = Reason.STORE_FULL if full else Reason.STORE_UNAVAILABLE
        raise StorexError(reason, detail=f"{type(error).__name__}: {error}") from error


_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
