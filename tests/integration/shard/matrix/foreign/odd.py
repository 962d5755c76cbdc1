"""Known causes among unusual names, kinds of tables and ways to hold a lock; several of them at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from pymysql.cursors import Cursor

from libs.core.catalogue import CAUSE
from libs.lab.injection import wait_until
from libs.lab.schema import Operation
from libs.lab.server import innodb_metric, status
from libs.lab.truth import Truth
from tests.integration.shard.matrix.foreign.clinic import BEDS, Clinic, Fault, among, execute, on

_MOVE = "UPDATE beds SET occupant = occupant + 1 WHERE bed_no = %s"
_ODD = 'lab results.v2 "ä" it\'s'
"""A table's name with a space, a dot, quotes and a letter beyond ASCII."""


def among_odd_names(clinic: Clinic) -> Truth:
    """The table's name needs quoting, whoever writes it."""
    clinic.administrator.execute(f"CREATE TABLE clinic.`{_ODD}` (`no.` INT PRIMARY KEY, `a value` INT)")
    clinic.administrator.execute(f"INSERT INTO clinic.`{_ODD}` VALUES (1, 1), (2, 2)")
    number = execute(clinic.open("planner"), f"UPDATE `{_ODD}` SET `a value` = 7 WHERE `no.` = 1")
    clinic.run("labs", 4, 8.0, f"UPDATE `{_ODD}` SET `a value` = %s WHERE `no.` = 1", among(9))
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, "planner", _ODD)


def in_a_partition(clinic: Clinic) -> Truth:
    """The rows are in one partition of a table."""
    clinic.administrator.execute(
        "CREATE TABLE clinic.readings (id INT, day INT, v INT, PRIMARY KEY (id, day)) PARTITION BY RANGE (day)"
        " (PARTITION p1 VALUES LESS THAN (100), PARTITION p2 VALUES LESS THAN MAXVALUE)"
    )
    clinic.administrator.execute("INSERT INTO clinic.readings VALUES (1, 5, 0), (2, 500, 0), (3, 501, 0)")
    number = execute(clinic.open("planner"), "UPDATE readings SET v = 1 WHERE id = 2 AND day = 500")
    clinic.run("monitors", 4, 8.0, "UPDATE readings SET v = %s WHERE id = 2 AND day = 500", among(9))
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, "planner", "readings")


def behind_a_savepoint(clinic: Clinic) -> Truth:
    """The holder rolled back to a savepoint: its changes are gone, its locks are not."""
    number = execute(
        clinic.open("planner"),
        "UPDATE ledger SET balance = 5 WHERE account = 300",
        "SAVEPOINT before_moves",
        "UPDATE beds SET occupant = 0 WHERE bed_no <= 40",
        "ROLLBACK TO SAVEPOINT before_moves",
    )
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.wait_for_row_waits()
    return clinic.held_by("lock.row_blocker", number, "planner", "beds")


def two_blockers(clinic: Clinic) -> Truth:
    """Two sessions hold rows of two tables, and have nothing to do with each other."""
    first = execute(clinic.open("planner"), "UPDATE beds SET occupant = 0")
    second = execute(clinic.open("month-end"), "UPDATE ledger SET balance = 0 WHERE account < 20")
    clinic.run("nurse-app", 4, 12.0, _MOVE, among(BEDS))
    clinic.run("bookkeeping", 3, 8.0, "UPDATE ledger SET balance = balance + 1 WHERE account = %s", among(19))
    clinic.wait_for_row_waits(6)
    other = clinic.held_by("lock.row_blocker", second, "month-end", "ledger")
    one = clinic.held_by("lock.row_blocker", first, "planner", "beds")
    return Truth(one.kind, one.entities, (other,))


def a_chain_with_a_branch(clinic: Clinic) -> Truth:
    """Four deep: each waits for the next with rows of its own, and one more waits half way."""
    number = execute(clinic.open("planner"), "UPDATE beds SET occupant = 0 WHERE bed_no = 1")
    for program, held, wanted in (("link-1", 2, 1), ("link-2", 3, 2), ("link-3", 4, 3), ("branch", 5, 2)):
        _holds_and_wants(clinic, program, held, wanted)
    clinic.wait_for_row_waits(4)
    return clinic.held_by("lock.row_blocker", number, "planner", "beds")


def _holds_and_wants(clinic: Clinic, program: str, held: int, wanted: int) -> None:
    def operate(cursor: Cursor, _chance: Random) -> None:
        cursor.execute(_MOVE, (held,))
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 600")
        cursor.execute(_MOVE, (wanted,))

    before = status(clinic.administrator, "Innodb_row_lock_current_waits")
    clinic.set_to_work(program, 1, 50.0, operate)
    wait_until(lambda: status(clinic.administrator, "Innodb_row_lock_current_waits") > before, program)


def deadlocks_of_three(clinic: Clinic) -> Truth:
    """Three programs lock three rows in a ring."""

    def two_of(rows: Sequence[int]) -> Operation:
        def operate(cursor: Cursor, _chance: Random) -> None:
            for row in rows:
                cursor.execute(_MOVE, (row,))
                time.sleep(0.05)

        return operate

    def deadlocks() -> int:
        return max(
            status(clinic.administrator, "Innodb_deadlocks"), innodb_metric(clinic.administrator, "lock_deadlocks")
        )

    before = deadlocks()
    for program, rows in (("ward-a", (1, 2)), ("ward-b", (2, 3)), ("ward-c", (3, 1))):
        clinic.set_to_work(program, 1, 12.0, two_of(rows))
    wait_until(lambda: deadlocks() >= before + 4, "the deadlocks")
    return Truth("lock.deadlock", on("beds"))


def through_a_view(clinic: Clinic) -> Truth:
    """The table that lacks an index is read through a view."""
    clinic.administrator.execute("CREATE VIEW clinic.cases AS SELECT visit_no, bed_label, reason FROM clinic.visits")
    search = "SELECT reason FROM cases WHERE bed_label = %s"
    clinic.run("case-search", 3, 12.0, search, lambda chance: f"bed {chance.randrange(9000)}")
    time.sleep(2.0)
    return Truth("query.missing_index", ((CAUSE, "statement_digest", clinic.digest(search)),))


def over_two_schemas(clinic: Clinic) -> Truth:
    """The statement joins a table of another schema, and that one has the index missing."""
    clinic.administrator.execute("CREATE DATABASE registry")
    clinic.undo.callback(clinic.administrator.execute, "DROP DATABASE registry")
    clinic.administrator.execute("CREATE TABLE registry.insured (id INT PRIMARY KEY AUTO_INCREMENT, phone VARCHAR(20))")
    clinic.administrator.execute("INSERT INTO registry.insured (phone) SELECT phone FROM clinic.visits")
    clinic.administrator.execute(f"GRANT SELECT ON registry.* TO {clinic.application.user}")
    search = (
        "SELECT r.id FROM visits v JOIN registry.insured r ON r.phone = v.phone WHERE v.visit_no = %s AND v.ward > ''"
    )
    clinic.run("insurer", 3, 12.0, search, among(20_000))
    time.sleep(2.0)
    digest = (CAUSE, "statement_digest", clinic.digest(search))
    return Truth("query.missing_index", (digest, *on("visits"), ("affected", "table", "registry.insured")))


FAULTS = {
    "row_blocker.odd_names": Fault("Rows of a table whose name has spaces, dots and quotes", among_odd_names),
    "row_blocker.partition": Fault("Rows of one partition", in_a_partition),
    "row_blocker.savepoint": Fault("A ROLLBACK TO a savepoint keeps the locks", behind_a_savepoint),
    "row_blocker.two": Fault("Two sessions hold rows of two tables", two_blockers),
    "row_blocker.chain": Fault("A chain of waits four deep, with a branch", a_chain_with_a_branch),
    "deadlock.three": Fault("Three programs lock three rows in a ring", deadlocks_of_three),
    "missing_index.view": Fault("A table without an index is read through a view", through_a_view),
    "missing_index.schemas": Fault("A join with a table of another schema that lacks an index", over_two_schemas),
}
"""By name: the cause's id without its family, and the way."""
