"""Opening a SQLite file of a service's own: for its owner alone, brought up to date step by step."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path


def open_sqlite(path: Path, migrations: Sequence[str]) -> sqlite3.Connection:
    """Open or create a file with a write-ahead log and foreign keys; use the connection in the thread that opened it.

    Each migration is a script that runs once, all of it or none. `user_version` counts those that have run. Raises
    OSError and sqlite3.Error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA foreign_keys = ON")
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        for number, script in enumerate(migrations[version:], start=version + 1):
            db.executescript(f"BEGIN; {script} PRAGMA user_version = {number}; COMMIT;")
    except BaseException:
        db.close()  # half a migration would hold the file
        raise
    return db
