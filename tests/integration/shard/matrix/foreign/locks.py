"""Locks that are kept in other ways than by a session that updated rows and fell asleep."""

from __future__ import annotations

import time
from contextlib import suppress
from random import Random

import pymysql
from pymysql.cursors import Cursor

from libs.lab.accounts import Login
from libs.lab.injection import wait_until
from libs.lab.schema import Operation
from libs.lab.server import StatementUnderWay, innodb_metric, status
from libs.lab.truth import Truth
from tests.integration.shard.matrix.foreign.clinic import BEDS, DATABASE, VISITS, Clinic, Fault, among, execute, on

_MOVE = "UPDATE beds SET occupant = occupant + 1 WHERE bed_no = %s"


class _Continued(StatementUnderWay):
    """A statement that is long under way in a session that has done other things before."""

    def __init__(self, login: Login, before: str, statement: str, program: str) -> None:
        super().__init__(login, statement, program=program, database=DATABASE)
        self._connection.autocommit(False)
        with self._connection.cursor() as cursor:
            cursor.execute(before)


def busy_blocker(clinic: Clinic) -> Truth:
    """The holder is at work all the time, on something else."""
    holder = _Continued(clinic.application, "UPDATE beds SET occupant = 0", "SELECT SLEEP(300)", "census")
    clinic.undo.callback(clinic.kill, holder)
    holder.start()
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", holder.connection_id, "census", "beds")


def reads_for_update(clinic: Clinic) -> Truth:
    """The holder has changed nothing: it read the rows FOR UPDATE without autocommit."""
    number = execute(clinic.open("planner"), "SELECT bed_no FROM beds WHERE bed_no <= 40 FOR UPDATE")
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, "planner", "beds")


def one_waits(clinic: Clinic) -> Truth:
    """One row is held, and one session waits for it."""
    number = execute(clinic.open("planner"), "DELETE FROM ledger WHERE account = 77")
    clinic.run("bookkeeping", 1, 2.0, "UPDATE ledger SET balance = balance + 1 WHERE account = 77")
    clinic.wait_for_row_waits(1)
    return clinic.held_by("lock.row_blocker", number, "planner", "ledger")


def keeps_a_gap(clinic: Clinic) -> Truth:
    """No row is held, but the gap that new rows would go into."""
    number = execute(clinic.open("planner"), "SELECT * FROM visits WHERE patient_no > 6000 FOR UPDATE")
    insert = (
        "INSERT INTO visits (patient_no, ward, phone, reason, bed_label, seen_on)"
        " VALUES (%s + 7000, 'W1', '1', 'new', 'none', '2026-01-01')"
    )
    clinic.run("admission", 4, 8.0, insert, among(500))
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, "planner", "visits")


def through_a_foreign_key(clinic: Clinic) -> Truth:
    """An insert into the child table keeps the parent's row."""
    number = execute(clinic.open("planner"), "INSERT INTO stays (bed_no) VALUES (5)")
    clinic.run("nurse-app", 3, 6.0, "UPDATE beds SET bed_no = 5, label = 'moved' WHERE bed_no = 5 AND ward > ''")
    clinic.run("cleaner-app", 3, 6.0, "DELETE FROM beds WHERE bed_no = 5 AND label = 'nobody'")
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, "planner", "beds")


def prepared_and_left(clinic: Clinic) -> Truth:
    """A distributed transaction was prepared, and its coordinator has gone: no session is left to kill."""
    connection = clinic.application.connect(program="coordinator", database=DATABASE)
    execute(connection, "XA START 'ward'", "UPDATE beds SET occupant = 0", "XA END 'ward'", "XA PREPARE 'ward'")
    connection.close()

    def roll_back() -> None:
        with suppress(pymysql.Error):
            clinic.administrator.execute("XA ROLLBACK 'ward'")

    clinic.undo.callback(roll_back)
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_row_waits()
    return Truth("lock.row_blocker", on("beds"))


def long_read_before_a_change(clinic: Clinic) -> Truth:
    """A long SELECT keeps a schema change waiting, and that everybody else."""
    reader = clinic.under_way("research", "SELECT SLEEP(0.05), reason FROM visits WHERE visit_no < 9000")
    time.sleep(0.5)
    clinic.under_way("migration", "ALTER TABLE visits FORCE", as_administrator=True)
    clinic.wait_for_state("Waiting for table metadata lock", 1)
    clinic.run("phone-list", 4, 12.0, "SELECT reason FROM visits WHERE phone = '%s'", among(VISITS))
    clinic.wait_for_state("Waiting for table metadata lock", 4)
    return clinic.held_by("lock.metadata", reader.connection_id, "research", "visits")


def locked_tables(clinic: Clinic) -> Truth:
    """A session said LOCK TABLES and fell asleep."""
    number = execute(clinic.open("stocktaking", autocommit=True), "LOCK TABLES beds WRITE")
    clinic.wait_for_state("Waiting for table metadata lock", 2)
    clinic.run("nurse-app", 3, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_state("Waiting for table metadata lock", 4)
    return clinic.held_by("lock.metadata", number, "stocktaking", "beds")


def flushed_with_read_lock(clinic: Clinic) -> Truth:
    """An export keeps one table from being written."""
    connection = clinic.open("exporter", as_administrator=True, autocommit=True)
    number = execute(connection, "FLUSH TABLES beds WITH READ LOCK")
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_state("Waiting for table metadata lock")
    user = clinic.administrator.user
    return clinic.held_by("lock.metadata", number, "exporter", "beds", user=user)


def locked_for_reading(clinic: Clinic) -> Truth:
    """A session said LOCK TABLES … READ of two tables and fell asleep: all may read, nobody may write."""
    number = execute(clinic.open("stocktaking", autocommit=True), "LOCK TABLES beds READ, ledger READ")
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_state("Waiting for table metadata lock")
    return clinic.held_by("lock.metadata", number, "stocktaking", "beds")


def flushed_for_export(clinic: Clinic) -> Truth:
    """A copy of one table's file was begun, and never ended."""
    connection = clinic.open("exporter", as_administrator=True, autocommit=True)
    number = execute(connection, "FLUSH TABLES ledger FOR EXPORT")
    clinic.run("bookkeeping", 4, 12.0, "UPDATE ledger SET balance = balance + 1 WHERE account = %s", among(200))
    clinic.wait_for_state("Waiting for table metadata lock")
    return clinic.held_by("lock.metadata", number, "exporter", "ledger", user=clinic.administrator.user)


def forgotten_before_a_truncate(clinic: Clinic) -> Truth:
    """A transaction that wrote one row keeps a TRUNCATE waiting."""
    number = execute(clinic.open("audit"), "UPDATE ledger SET balance = 1 WHERE account = 300")
    clinic.under_way("month-end", "TRUNCATE TABLE ledger", as_administrator=True)
    clinic.wait_for_state("Waiting for table metadata lock", 1)
    clinic.run("bookkeeping", 4, 12.0, "SELECT balance FROM ledger WHERE account = %s", among(200))
    clinic.wait_for_state("Waiting for table metadata lock", 4)
    return clinic.held_by("lock.metadata", number, "audit", "ledger")


def backup_stages(clinic: Clinic) -> Truth:
    """MariaDB's backup stages stopped at the one that keeps commits waiting."""
    connection = clinic.open("snapshots", as_administrator=True, autocommit=True)
    number = execute(
        connection, "BACKUP STAGE START", "BACKUP STAGE FLUSH", "BACKUP STAGE BLOCK_DDL", "BACKUP STAGE BLOCK_COMMIT"
    )
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_state("Waiting for backup lock")
    return clinic.held_by("lock.global_read", number, "snapshots", user=clinic.administrator.user)


def locked_for_backup(clinic: Clinic) -> Truth:
    """MySQL's backup lock is kept, and schema changes wait."""
    number = execute(clinic.open("snapshots", as_administrator=True, autocommit=True), "LOCK INSTANCE FOR BACKUP")
    for table in ("beds", "ledger", "tallies"):
        clinic.under_way(f"change-{table}", f"ALTER TABLE {table} FORCE", as_administrator=True)
    clinic.wait_for_state("Waiting for backup lock")
    return clinic.held_by("lock.global_read", number, "snapshots", user=clinic.administrator.user)


def deadlocks_over_two_tables(clinic: Clinic) -> Truth:
    """Two programs take the same two tables in either order."""
    pay = "UPDATE ledger SET balance = balance - 1 WHERE account = 9"
    move = "UPDATE beds SET occupant = occupant + 1 WHERE bed_no = 9"

    def one_after_the_other(first: str, second: str) -> Operation:
        def operate(cursor: Cursor, _chance: Random) -> None:
            cursor.execute(first)
            time.sleep(0.05)
            cursor.execute(second)

        return operate

    before = _deadlocks(clinic.administrator)
    clinic.set_to_work("billing", 2, 10.0, one_after_the_other(pay, move))
    clinic.set_to_work("discharge", 2, 10.0, one_after_the_other(move, pay))
    wait_until(lambda: _deadlocks(clinic.administrator) >= before + 4, "the deadlocks")
    return Truth("lock.deadlock", on("ledger", "beds"))


def _deadlocks(login: Login) -> int:
    return max(status(login, "Innodb_deadlocks"), innodb_metric(login, "lock_deadlocks"))


def a_counter_for_all(clinic: Clinic) -> Truth:
    """Everybody counts in the same row, with INSERT … ON DUPLICATE KEY UPDATE."""
    count = "INSERT INTO tallies VALUES ('2026-05-05', 1) ON DUPLICATE KEY UPDATE patients = patients + 1"

    def operate(cursor: Cursor, _chance: Random) -> None:
        cursor.execute(count)
        time.sleep(0.05)

    clinic.set_to_work("turnstile", 8, 150.0, operate)
    clinic.wait_for_row_waits(4)
    return clinic.by_statement("lock.hot_row", count, "tallies")


def converts_and_locks_all(clinic: Clinic) -> Truth:
    """An update compares a text column with a number: no index fits, and it locks every row."""
    correct = "UPDATE visits SET reason = 'corrected' WHERE phone = %s"

    def operate(cursor: Cursor, chance: Random) -> None:
        cursor.execute(correct, (5_550_000 + chance.randrange(VISITS),))
        time.sleep(2.0)

    clinic.set_to_work("data-steward", 1, 3.0, operate)
    clinic.run("chart-editor", 5, 15.0, "UPDATE visits SET ward = 'W9' WHERE visit_no = %s", among(VISITS))
    clinic.wait_for_row_waits(4)
    return clinic.by_statement("lock.unindexed_write", correct, "visits")


FAULTS = {
    "row_blocker.busy": Fault("The holder of row locks is at work on something else", busy_blocker),
    "row_blocker.for_update": Fault("The holder only read, FOR UPDATE and without autocommit", reads_for_update),
    "row_blocker.one_waits": Fault("One session waits for one row", one_waits),
    "row_blocker.gap": Fault("Inserts wait for a gap that a transaction keeps", keeps_a_gap),
    "row_blocker.foreign_key": Fault("A child's insert keeps the parent's row", through_a_foreign_key),
    "row_blocker.prepared": Fault("A prepared XA transaction was left behind, without a session", prepared_and_left),
    "metadata.long_read": Fault("A long SELECT is in the way of a schema change", long_read_before_a_change),
    "metadata.lock_tables": Fault("LOCK TABLES … WRITE, and then nothing", locked_tables),
    "metadata.lock_tables_read": Fault("LOCK TABLES … READ, and then nothing", locked_for_reading),
    "metadata.for_export": Fault("FLUSH TABLES … FOR EXPORT that was never ended", flushed_for_export),
    "metadata.flush_table": Fault("FLUSH TABLES … WITH READ LOCK of one table", flushed_with_read_lock),
    "metadata.truncate": Fault("An open transaction is in the way of a TRUNCATE", forgotten_before_a_truncate),
    "global_read.backup_stages": Fault("A backup that stopped at BLOCK_COMMIT", backup_stages, "MariaDB"),
    "global_read.instance": Fault("LOCK INSTANCE FOR BACKUP while schemas change", locked_for_backup, "MySQL"),
    "deadlock.two_tables": Fault("Two programs lock two tables in either order", deadlocks_over_two_tables),
    "hot_row.upsert": Fault("All count in one row with an upsert", a_counter_for_all),
    "unindexed_write.conversion": Fault("An update compares text with a number", converts_and_locks_all),
}
"""By name: the cause's id without its family, and the way."""
