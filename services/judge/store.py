"""Scenarios, runs and outcomes in one SQLite file. What has been answered for is on the disk before the answer goes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from libs.core.errors import Reason, StorexError
from libs.core.sqlite_file import open_sqlite
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED, Grading
from storex.judge.v1.judge_pb2 import OUTCOME_STATUS_SCORED, Outcome, Run
from storex.judge.v1.scenario_pb2 import Scenario

T = TypeVar("T")

_MIGRATIONS = (
    """
    CREATE TABLE scenarios (scenario_id TEXT PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE runs (run_id TEXT PRIMARY KEY, owner TEXT NOT NULL, created_at REAL NOT NULL, body BLOB NOT NULL);
    CREATE INDEX runs_by_owner ON runs (owner, created_at);
    CREATE TABLE outcomes (
        run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE, scenario_id TEXT NOT NULL, repeat INTEGER NOT NULL,
        scored INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, scenario_id, repeat));
    """,
    """
    CREATE TABLE gradings (
        run_id TEXT NOT NULL, scenario_id TEXT NOT NULL, repeat INTEGER NOT NULL, rubric TEXT NOT NULL,
        graded INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (run_id, scenario_id, repeat),
        FOREIGN KEY (run_id, scenario_id, repeat) REFERENCES outcomes ON DELETE CASCADE);
    """,
    """
    ALTER TABLE scenarios ADD COLUMN world TEXT NOT NULL DEFAULT '';
    ALTER TABLE outcomes ADD COLUMN world TEXT NOT NULL DEFAULT '';
    CREATE INDEX outcomes_by_world ON outcomes (world);
    """,
)


class JudgeStore:
    """The judge's file; all statements run in one thread of its own, never on the event loop."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, readable by its owner only, and bring it up to date. Raises OSError."""
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge-store")
        self._connection = self._executor.submit(_open, path).result()

    async def close(self) -> None:
        """Close the file once what is under way is done."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._connection.close)
        self._executor.shutdown()

    async def put_scenario(self, scenario: Scenario) -> None:
        """Add a scenario, or replace the one of its id."""
        row = (scenario.scenario_id, scenario.SerializeToString(), scenario.world)
        await self._run(lambda db: db.execute("INSERT OR REPLACE INTO scenarios VALUES (?, ?, ?)", row))

    async def scenarios(self) -> list[Scenario]:
        """Every scenario with its truth, by id."""
        query = "SELECT body FROM scenarios ORDER BY scenario_id"
        return [Scenario.FromString(body) for (body,) in await self._run(lambda db: db.execute(query).fetchall())]

    async def begin(self, run: Run, owner: str) -> None:
        """Keep a new run."""
        row = (run.run_id, owner, run.created_at.ToNanoseconds() / 1e9, run.SerializeToString())
        await self._run(lambda db: db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", row))

    async def run(self, run_id: str, owner: str) -> Run:
        """One of the owner's runs with its outcomes, but those of a world that its scenario has no more.

        Raises StorexError RUN_NOT_FOUND.
        """
        query = "SELECT body FROM runs WHERE run_id = ? AND owner = ?"
        row = await self._run(lambda db: db.execute(query, (run_id, owner)).fetchone())
        if row is None:
            raise StorexError(Reason.RUN_NOT_FOUND)
        query = (
            "SELECT outcomes.body, gradings.body FROM outcomes LEFT JOIN gradings USING (run_id, scenario_id, repeat) "
            "LEFT JOIN scenarios USING (scenario_id) "
            "WHERE run_id = ? AND outcomes.world = COALESCE(scenarios.world, outcomes.world) "
            "ORDER BY scenario_id, repeat"
        )
        rows = await self._run(lambda db: db.execute(query, (run_id,)).fetchall())
        run = Run.FromString(row[0])
        run.outcomes.extend(_with_grading(Outcome.FromString(body), grading) for body, grading in rows)
        run.done = sum(outcome.status == OUTCOME_STATUS_SCORED for outcome in run.outcomes)
        return run

    async def runs(self, owner: str) -> list[Run]:
        """The owner's runs, newest first, without outcomes."""
        query = (
            "SELECT body, (SELECT COUNT(*) FROM outcomes WHERE outcomes.run_id = runs.run_id AND scored) "
            "FROM runs WHERE owner = ? ORDER BY created_at DESC, run_id"
        )
        rows = await self._run(lambda db: db.execute(query, (owner,)).fetchall())
        return [_with_done(Run.FromString(body), done) for body, done in rows]

    async def worlds(self) -> set[str]:
        """Every world that something is kept of, those of replaced scenarios too."""
        query = "SELECT world FROM scenarios UNION SELECT world FROM outcomes"
        return {world for (world,) in await self._run(lambda db: db.execute(query).fetchall()) if world}

    async def forget(self, world: str) -> None:
        """Delete what is kept of a world for good: its scenarios, and the outcomes with reports and gradings."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM outcomes WHERE world = ?", (world,))
            db.execute("DELETE FROM scenarios WHERE world = ?", (world,))

        await self._run(work)
        # What is deleted is overwritten in the file by `secure_delete`; it must not stay in the log before it either.
        await self._run(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    async def keep(self, run_id: str, outcome: Outcome, world: str) -> None:
        """Keep an outcome of a world in the place of an earlier failure, or of another world's with its grading.

        A scored one of the same world is never replaced.
        """
        scored = outcome.status == OUTCOME_STATUS_SCORED
        key = (run_id, outcome.scenario_id, outcome.repeat)
        insert = (
            "INSERT INTO outcomes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET scored = excluded.scored, "
            "body = excluded.body WHERE NOT outcomes.scored"
        )

        def work(db: sqlite3.Connection) -> None:
            other = "DELETE FROM outcomes WHERE run_id = ? AND scenario_id = ? AND repeat = ? AND world <> ?"
            db.execute(other, (*key, world))
            db.execute(insert, (*key, scored, outcome.SerializeToString(), world))

        await self._run(work)

    async def keep_grading(self, run_id: str, outcome: Outcome, grading: Grading) -> None:
        """Keep what a judging model says of an outcome's report, in the place of a failure or of another rubric's."""
        graded = grading.status == GRADING_STATUS_GRADED
        key = (run_id, outcome.scenario_id, outcome.repeat)
        row = (*key, grading.rubric, graded, grading.SerializeToString())
        insert = (
            "INSERT INTO gradings VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
            "SET rubric = excluded.rubric, graded = excluded.graded, body = excluded.body "
            "WHERE NOT gradings.graded OR (excluded.graded AND gradings.rubric <> excluded.rubric)"
        )
        await self._run(lambda db: db.execute(insert, row))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run in the store's thread, in one transaction. Raises StorexError RUNS_UNAVAILABLE when the disk fails."""

        def committed() -> T:
            try:
                with self._connection:
                    return work(self._connection)
            except sqlite3.Error as error:
                raise StorexError(Reason.RUNS_UNAVAILABLE, detail=str(error)) from None

        return await asyncio.get_running_loop().run_in_executor(self._executor, committed)


def _with_grading(outcome: Outcome, grading: bytes | None) -> Outcome:
    if grading is not None:
        outcome.grading.ParseFromString(grading)
    return outcome


def _with_done(run: Run, done: int) -> Run:
    run.done = done
    return run


def _open(path: Path) -> sqlite3.Connection:
    db = open_sqlite(path, _MIGRATIONS)
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA secure_delete = ON")
    _name_worlds(db)
    return db


def _name_worlds(db: sqlite3.Connection) -> None:
    """Write the worlds beside scenarios and outcomes that were kept before there was such a column."""
    with db:
        for scenario_id, body in db.execute("SELECT scenario_id, body FROM scenarios WHERE world = ''").fetchall():
            row = (Scenario.FromString(body).world, scenario_id)
            db.execute("UPDATE scenarios SET world = ? WHERE scenario_id = ?", row)
            db.execute("UPDATE outcomes SET world = ? WHERE world = '' AND scenario_id = ?", row)
