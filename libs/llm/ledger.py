"""A row per call to a model, in SQLite: who, what model, how much, how it ended. Never a word of what was said.

Several processes of one machine may write to the same file.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from libs.core.errors import Reason, StorexError
from libs.core.sqlite_file import open_sqlite

T = TypeVar("T")

RETENTION_SECONDS = 400 * 86400.0
"""Rows older than this, a year and a little, are dropped when the ledger is opened."""

_MIGRATIONS = (
    """
    CREATE TABLE calls (
        id INTEGER PRIMARY KEY, at REAL NOT NULL, subject TEXT NOT NULL, session_id TEXT NOT NULL,
        endpoint TEXT NOT NULL, model TEXT NOT NULL, prompt TEXT NOT NULL, prompt_hash TEXT NOT NULL,
        input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost REAL NOT NULL,
        seconds REAL NOT NULL, outcome TEXT NOT NULL);
    CREATE INDEX calls_by_subject ON calls (subject, at);
    CREATE INDEX calls_by_time ON calls (at);
    CREATE TABLE call_teams (
        call_id INTEGER NOT NULL REFERENCES calls ON DELETE CASCADE, team TEXT NOT NULL, at REAL NOT NULL,
        PRIMARY KEY (call_id, team)) WITHOUT ROWID;
    CREATE INDEX call_teams_by_team ON call_teams (team, at);
    """,
)


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    UNAVAILABLE = "unavailable"
    NONSENSE = "nonsense"
    CANCELLED = "cancelled"
    OVER_BUDGET = "over_budget"
    REFUSED = "refused"
    """Something that looks like customer data was about to leave."""


class Group(StrEnum):
    """What sums are taken over."""

    SUBJECT = "subject"
    TEAM = "team"
    MODEL = "model"
    PROMPT = "prompt"
    OUTCOME = "outcome"


_SUMS = """
    SELECT {key} AS key, COUNT(*), TOTAL(outcome <> 'answered'), TOTAL(input_tokens), TOTAL(output_tokens), TOTAL(cost),
        MAX(seconds)
    FROM {source} WHERE calls.at >= ? GROUP BY key ORDER BY 6 DESC, 4 DESC, key
    """
_SUMS_OF = {
    Group.SUBJECT: _SUMS.format(key="subject", source="calls"),
    Group.TEAM: _SUMS.format(key="team", source="calls JOIN call_teams ON calls.id = call_id"),
    Group.MODEL: _SUMS.format(key="endpoint || '/' || model", source="calls"),
    Group.PROMPT: _SUMS.format(key="prompt", source="calls"),
    Group.OUTCOME: _SUMS.format(key="outcome", source="calls"),
}


@dataclass(frozen=True, slots=True)
class Who:
    """For whom a model is asked. `subject` is `user:NAME` or `service:NAME`."""

    subject: str
    teams: tuple[str, ...] = ()
    session_id: str = ""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call. `at` is seconds since the epoch; `prompt` names its version, and `prompt_hash` is of that prompt's text.

    Neither tells of the tools that were offered, nor of what the agent puts around a specialist's prompt.
    """

    at: float
    who: Who
    endpoint: str
    model: str
    prompt: str
    prompt_hash: str
    input_tokens: int
    output_tokens: int
    cost: float
    seconds: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Sum:
    """What one group asked of models."""

    key: str
    calls: int
    failed: int
    input_tokens: int
    output_tokens: int
    cost: float
    slowest_seconds: float


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens, both ways, and cost."""

    tokens: int = 0
    cost: float = 0.0


class Ledger:
    """The rows in one file; all statements run in one thread of its own, never on the event loop.

    Every method raises StorexError MODEL_LEDGER_UNAVAILABLE when the disk fails, or others hold the file for too long.
    """

    def __init__(self, path: Path, now: float) -> None:
        """Open or create the file, readable by its owner only, and bring it up to date. Raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model-ledger")
        with _alone(path.with_suffix(".lock")):
            self._db = self._executor.submit(_open, path, now).result()

    async def add(self, call: ModelCall) -> None:
        """Keep a row."""
        row = (
            call.at, call.who.subject, call.who.session_id, call.endpoint, call.model, call.prompt, call.prompt_hash,
            call.input_tokens, call.output_tokens, call.cost, call.seconds, call.outcome.value,
        )  # fmt: skip
        insert = (
            "INSERT INTO calls (at, subject, session_id, endpoint, model, prompt, prompt_hash, input_tokens, "
            "output_tokens, cost, seconds, outcome) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )

        def work(db: sqlite3.Connection) -> None:
            with db:
                number = db.execute(insert, row).lastrowid
                teams = [(number, team, call.at) for team in sorted(set(call.who.teams))]
                db.executemany("INSERT INTO call_teams VALUES (?, ?, ?)", teams)

        await self._run(work)

    async def spent_by_subject(self, subject: str, since: float) -> Spent:
        """What one subject has spent from then on."""
        query = "SELECT TOTAL(input_tokens + output_tokens), TOTAL(cost) FROM calls WHERE subject = ? AND at >= ?"
        return await self._spent(query, subject, since)

    async def spent_by_team(self, team: str, since: float) -> Spent:
        """What the members of a team have spent from then on."""
        query = (
            "SELECT TOTAL(input_tokens + output_tokens), TOTAL(cost) FROM call_teams JOIN calls ON calls.id = call_id "
            "WHERE team = ? AND call_teams.at >= ?"
        )
        return await self._spent(query, team, since)

    async def sums(self, group: Group, since: float) -> list[Sum]:
        """Sums from then on, the dearest first."""
        rows = await self._run(lambda db: db.execute(_SUMS_OF[group], (since,)).fetchall())
        return [
            Sum(str(key), calls, int(failed), int(sent), int(received), cost, slowest)
            for key, calls, failed, sent, received, cost, slowest in rows
        ]

    async def close(self) -> None:
        """Close the file."""
        await self._run(lambda db: db.close())
        self._executor.shutdown()

    async def _spent(self, query: str, key: str, since: float) -> Spent:
        tokens, cost = await self._run(lambda db: db.execute(query, (key, since)).fetchone())
        return Spent(int(tokens), cost)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def told() -> T:
            try:
                return work(self._db)
            except sqlite3.Error as error:
                raise StorexError(Reason.MODEL_LEDGER_UNAVAILABLE, detail=str(error)) from None

        return await asyncio.get_running_loop().run_in_executor(self._executor, told)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other process opens the ledger meanwhile: two at once would both try to bring it up to date.

    The lock is on a file of its own, for closing any descriptor of the ledger's would undo SQLite's locks on it.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path, now: float) -> sqlite3.Connection:
    db = open_sqlite(path, _MIGRATIONS)
    with db:
        db.execute("DELETE FROM calls WHERE at < ?", (now - RETENTION_SECONDS,))
    return db
