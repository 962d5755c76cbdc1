from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from libs.core.sqlite_file import open_sqlite

FIRST, SECOND = "CREATE TABLE one (a INTEGER);", "ALTER TABLE one ADD COLUMN b INTEGER;"


def test_each_migration_runs_once_and_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "one.db"
    with closing(open_sqlite(path, [FIRST])) as db:
        db.execute("INSERT INTO one VALUES (1)")
        db.commit()
    for _ in range(2):
        with closing(open_sqlite(path, [FIRST, SECOND])) as db:
            assert db.execute("SELECT * FROM one").fetchall() == [(1, None)]
            assert db.execute("PRAGMA user_version").fetchone() == (2,)
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "one.db"
    open_sqlite(path, [FIRST]).close()
    with pytest.raises(sqlite3.Error):
        open_sqlite(path, [FIRST, "ALTER TABLE one ADD COLUMN b INTEGER; nonsense;"])
    with closing(open_sqlite(path, [FIRST, SECOND])) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (2,)
