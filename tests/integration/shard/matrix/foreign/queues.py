"""Waits that no list of locks shows, and locks that come about where nobody asked for them."""

from __future__ import annotations

import time

from libs.lab.injection import wait_until
from libs.lab.server import set_global, status
from libs.lab.truth import Truth
from tests.integration.shard.matrix.foreign.clinic import DATABASE, VISITS, Clinic, Fault, among, execute

_SLOW_READ = "SELECT visit_no, SLEEP(100) FROM visits LIMIT 3"
_BEHIND = "Waiting for table metadata lock"


def _pay(clinic: Clinic) -> None:
    clinic.run("billing", 5, 20.0, "UPDATE ledger SET balance = balance + 1 WHERE account = %s", among(5))


def _read(clinic: Clinic, state: str) -> None:
    clinic.run("portal", 5, 20.0, "SELECT reason FROM visits WHERE visit_no = %s", among(VISITS))
    clinic.wait_for_state(state)


def _before(clinic: Clinic, statement: str) -> int:
    """A read that goes on for long, and behind it a statement of the administrator's."""
    reader = clinic.under_way("report", _SLOW_READ)
    time.sleep(1.0)
    clinic.under_way("housekeeping", statement, as_administrator=True)
    clinic.wait_for_state("Waiting for table flush", 1)
    return reader.connection_id


def flushes_one_table(clinic: Clinic) -> Truth:
    """FLUSH TABLES waits for a long read of the table, and every other read for the flush."""
    reader = _before(clinic, "FLUSH TABLES visits")
    _read(clinic, "Waiting for table flush")
    return clinic.held_by("lock.metadata", reader, "report", "visits")


def cannot_begin_a_backup(clinic: Clinic) -> Truth:
    """FLUSH TABLES WITH READ LOCK waits for a long read, and every write for the lock that it has already."""
    reader = _before(clinic, "FLUSH TABLES WITH READ LOCK")
    _pay(clinic)
    clinic.wait_for_state("Waiting for global read lock")
    return clinic.held_by("lock.global_read", reader, "report")


def _held(clinic: Clinic, program: str, *statements: str) -> Truth:
    number = execute(clinic.open(program), *statements)
    _pay(clinic)
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, program, "ledger")


def copies_rows(clinic: Clinic) -> Truth:
    """INSERT … SELECT locks the rows that it only reads."""
    return _held(clinic, "etl", "INSERT INTO tallies SELECT '2020-01-01' + INTERVAL account DAY, balance FROM ledger")


def reads_in_share_mode(clinic: Clinic) -> Truth:
    """A check reads rows in share mode, and is left open."""
    return _held(clinic, "auditor", "SELECT * FROM ledger WHERE account < 20 LOCK IN SHARE MODE")


def changes_by_a_trigger(clinic: Clinic) -> Truth:
    """The rows are locked by a trigger of another table."""
    clinic.administrator.execute(
        f"CREATE TRIGGER {DATABASE}.charges AFTER INSERT ON {DATABASE}.stays FOR EACH ROW"
        f" UPDATE {DATABASE}.ledger SET balance = balance + 1 WHERE account BETWEEN 1 AND 10"
    )
    return _held(clinic, "ward-app", "INSERT INTO stays (bed_no) VALUES (1)")


def gives_up_soon(clinic: Clinic) -> Truth:
    """No client waits for a second: each gives up before, again and again."""
    set_global(clinic.administrator, clinic.undo, "innodb_lock_wait_timeout", 1)
    number = execute(clinic.open("console"), "UPDATE ledger SET balance = 1 WHERE account < 50")
    before = status(clinic.administrator, "Innodb_row_lock_time")
    _pay(clinic)
    wait_until(lambda: status(clinic.administrator, "Innodb_row_lock_time") >= before + 12_000, "the waits")
    return clinic.held_by("lock.row_blocker", number, "console", "ledger")


def renames_a_table(clinic: Clinic) -> Truth:
    """A transaction that only read is in the way of a RENAME."""
    number = execute(clinic.open("console"), "SELECT COUNT(*) FROM visits")
    clinic.under_way("migration", f"RENAME TABLE {DATABASE}.visits TO {DATABASE}.old_visits", as_administrator=True)
    clinic.wait_for_state(_BEHIND, 1)
    _read(clinic, _BEHIND)
    return clinic.held_by("lock.metadata", number, "console", "visits")


def changes_a_prepared_table(clinic: Clinic) -> Truth:
    """A prepared XA transaction, its session still there, is in the way of a schema change."""
    changes = ("XA START 'visit'", "UPDATE visits SET ward = 'W0' WHERE visit_no = 5", "XA END 'visit'")
    number = execute(clinic.open("coordinator"), *changes, "XA PREPARE 'visit'")
    clinic.under_way("migration", f"ALTER TABLE {DATABASE}.visits ADD COLUMN extra INT", as_administrator=True)
    clinic.wait_for_state(_BEHIND, 1)
    _read(clinic, _BEHIND)
    return clinic.held_by("lock.metadata", number, "coordinator", "visits")


FAULTS = {
    # MariaDB neither waits for reads of the table nor makes others wait.
    "metadata.flush": Fault("FLUSH TABLES behind a long SELECT", flushes_one_table, "MySQL"),
    "global_read.stuck": Fault("FLUSH TABLES WITH READ LOCK behind a long SELECT", cannot_begin_a_backup, "MySQL"),
    "metadata.rename": Fault("A transaction that only read is in the way of a RENAME", renames_a_table),
    "metadata.prepared": Fault("A prepared XA transaction is in the way of a schema change", changes_a_prepared_table),
    "row_blocker.copy": Fault("INSERT … SELECT locks what it reads", copies_rows),
    "row_blocker.share": Fault("Rows that were read in share mode", reads_in_share_mode),
    "row_blocker.trigger": Fault("Rows that a trigger changed", changes_by_a_trigger),
    "row_blocker.gives_up": Fault("Clients give up within a second", gives_up_soon),
}
