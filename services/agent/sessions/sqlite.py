"""Sessions in one SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from libs.core.errors import Reason, StorexError
from libs.core.sqlite_file import open_sqlite
from services.agent.inquiry import Turn
from services.agent.records import Record
from services.agent.sessions.store import OpenTurn, SessionHead
from storex.agent.v1 import agent_pb2, report_pb2

T = TypeVar("T")

RETENTION_SECONDS = 30 * 86400.0
"""Sessions older than this are dropped when the store is opened."""

_MIGRATIONS = (
    """
    CREATE TABLE sessions (
        session_id TEXT PRIMARY KEY, owner TEXT NOT NULL, target TEXT NOT NULL, created_at REAL NOT NULL);
    CREATE INDEX sessions_by_owner ON sessions (owner, created_at);
    CREATE TABLE turns (
        session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, turn INTEGER NOT NULL,
        question TEXT NOT NULL, asked_at REAL NOT NULL, report BLOB, PRIMARY KEY (session_id, turn));
    CREATE TABLE records (
        session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, position INTEGER PRIMARY KEY AUTOINCREMENT,
        call_id TEXT NOT NULL, turn INTEGER NOT NULL, tool TEXT NOT NULL, name TEXT NOT NULL, status INTEGER NOT NULL,
        reason TEXT NOT NULL, problem TEXT NOT NULL, message_type TEXT NOT NULL, message BLOB);
    CREATE INDEX records_by_session ON records (session_id, position);
    """,
    """
    ALTER TABLE turns ADD COLUMN request BLOB;
    ALTER TABLE records ADD COLUMN arguments TEXT NOT NULL DEFAULT '';
    ALTER TABLE records ADD COLUMN recorded_at REAL NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE snapshots (
        session_id TEXT NOT NULL REFERENCES sessions ON DELETE CASCADE, name TEXT NOT NULL,
        PRIMARY KEY (session_id, name));
    """,
)


class SqliteSessionStore:
    """A SessionStore in a file; all statements run in one thread of its own, never on the event loop."""

    def __init__(self, path: Path, now: float) -> None:
        """Open or create the file, readable by its owner only, and bring it up to date."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sessions")
        self._connection = self._executor.submit(_open, path, now).result()

    async def create(self, head: SessionHead) -> None:
        """Begin a session."""
        row = (head.session_id, head.owner, head.target, head.created_at)
        await self._write("INSERT INTO sessions VALUES (?, ?, ?, ?)", [row])

    async def head(self, session_id: str, owner: str) -> SessionHead:
        """The session. Raises StorexError SESSION_NOT_FOUND."""
        query = "SELECT session_id, owner, target, created_at FROM sessions WHERE session_id = ? AND owner = ?"
        row = await self._run(lambda db: db.execute(query, (session_id, owner)).fetchone())
        if row is None:
            raise StorexError(Reason.SESSION_NOT_FOUND)
        return SessionHead(*row)

    async def turns(self, session_id: str, owner: str) -> list[Turn]:
        """Its questions with their reports, oldest first. Raises StorexError SESSION_NOT_FOUND."""
        await self.head(session_id, owner)
        query = "SELECT question, report, asked_at FROM turns WHERE session_id = ? ORDER BY turn"
        rows = await self._run(lambda db: db.execute(query, (session_id,)).fetchall())
        return [
            Turn(question, report_pb2.Report.FromString(report) if report is not None else None, asked_at)
            for question, report, asked_at in rows
        ]

    async def records(self, session_id: str, owner: str) -> list[Record]:
        """What its tools returned, in order. Raises StorexError SESSION_NOT_FOUND."""
        await self.head(session_id, owner)
        query = (
            "SELECT call_id, turn, tool, name, status, message_type, message, reason, problem, arguments, recorded_at "
            "FROM records WHERE session_id = ? ORDER BY position"
        )
        rows = await self._run(lambda db: db.execute(query, (session_id,)).fetchall())
        return [
            Record(call_id, turn, tool, name, status, _decoded(message_type, message), *others)
            for call_id, turn, tool, name, status, message_type, message, *others in rows
        ]

    async def list_heads(self, owner: str) -> list[SessionHead]:
        """The owner's sessions, newest first."""
        query = (
            "SELECT session_id, owner, target, created_at FROM sessions WHERE owner = ? "
            "ORDER BY created_at DESC, session_id"
        )
        return [SessionHead(*row) for row in await self._run(lambda db: db.execute(query, (owner,)).fetchall())]

    async def snapshots(self, session_id: str, owner: str) -> list[str]:
        """Those that its questions asked in the place of live databases. Raises StorexError SESSION_NOT_FOUND."""
        await self.head(session_id, owner)
        query = "SELECT name FROM snapshots WHERE session_id = ? ORDER BY name"
        return [name for (name,) in await self._run(lambda db: db.execute(query, (session_id,)).fetchall())]

    async def delete(self, session_id: str) -> None:
        """Delete a session with all that is in it, for good."""
        await self._write("DELETE FROM sessions WHERE session_id = ?", [(session_id,)])
        # What is deleted is overwritten in the file by `secure_delete`; it must not stay in the log before it either.
        await self._run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def begin_turn(
        self, session_id: str, request: agent_pb2.AskRequest, asked_at: float, snapshots: Sequence[str] = ()
    ) -> int:
        """Append a question without a report; returns its number, from 0. The request's question is scrubbed."""
        insert = "INSERT INTO turns (session_id, turn, question, asked_at, request) VALUES (?, ?, ?, ?, ?)"

        def work(db: sqlite3.Connection) -> int:
            query = "SELECT COALESCE(MAX(turn) + 1, 0) FROM turns WHERE session_id = ?"
            turn = int(db.execute(query, (session_id,)).fetchone()[0])
            db.execute(insert, (session_id, turn, request.question, asked_at, request.SerializeToString()))
            asked = [(session_id, name) for name in snapshots]
            db.executemany("INSERT OR IGNORE INTO snapshots VALUES (?, ?)", asked)
            return turn

        return await self._run(work)

    async def open_turn(self, session_id: str, owner: str) -> OpenTurn | None:
        """The last question, if it has no report. Raises StorexError SESSION_NOT_FOUND."""
        await self.head(session_id, owner)
        query = "SELECT turn, report IS NULL, request FROM turns WHERE session_id = ? ORDER BY turn DESC LIMIT 1"
        row = await self._run(lambda db: db.execute(query, (session_id,)).fetchone())
        if row is None or not row[1] or row[2] is None:
            return None
        return OpenTurn(row[0], agent_pb2.AskRequest.FromString(row[2]))

    async def add_records(self, session_id: str, records: Sequence[Record]) -> None:
        """Keep what a call returned, all or nothing; it is safe on disk when this returns."""
        rows = [(session_id, *_encoded(record)) for record in records]
        insert = (
            "INSERT INTO records "
            "(session_id, call_id, turn, tool, name, status, message_type, message, reason, problem, arguments, "
            "recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        await self._write(insert, rows)

    async def finish_turn(self, session_id: str, turn: int, report: report_pb2.Report) -> None:
        """Add the report of a question."""
        update = "UPDATE turns SET report = ? WHERE session_id = ? AND turn = ?"
        await self._write(update, [(report.SerializeToString(), session_id, turn)])

    async def close(self) -> None:
        """Close the store."""
        await self._run(lambda db: db.close(), commit=False)
        self._executor.shutdown()

    async def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        def work(db: sqlite3.Connection) -> None:
            # The cursor must end in this thread: SQLite takes it for misuse where another one drops it meanwhile.
            db.executemany(statement, rows)

        await self._run(work)

    async def _run(self, work: Callable[[sqlite3.Connection], T], *, commit: bool = True) -> T:
        def transaction() -> T:
            if not commit:
                return work(self._connection)
            try:
                with self._connection:
                    return work(self._connection)
            except sqlite3.Error as error:
                # A full disk, above all. The text names the file at most, but stays in the log all the same.
                raise StorexError(Reason.SESSIONS_UNAVAILABLE, detail=str(error)) from None

        return await asyncio.get_running_loop().run_in_executor(self._executor, transaction)


def _open(path: Path, now: float) -> sqlite3.Connection:
    db = open_sqlite(path, _MIGRATIONS)
    db.execute("PRAGMA secure_delete = ON")
    with db:
        db.execute("DELETE FROM sessions WHERE created_at < ?", (now - RETENTION_SECONDS,))
    return db


def _encoded(record: Record) -> tuple[object, ...]:
    message_type = record.message.DESCRIPTOR.full_name if record.message is not None else ""
    message = record.message.SerializeToString() if record.message is not None else None
    return (
        record.call_id, record.turn, record.tool, record.name, int(record.status), message_type, message,
        record.reason, record.problem, record.arguments, record.recorded_at,
    )  # fmt: skip


def _decoded(message_type: str, message: bytes | None) -> Message | None:
    """The recorded answer; None too for a type that this version does not know any more."""
    if message is None:
        return None
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(message_type)
        return message_factory.GetMessageClass(descriptor).FromString(message)
    except KeyError:
        return None
