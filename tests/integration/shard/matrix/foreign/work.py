"""Statements, connections and settings that go wrong in other ways."""

from __future__ import annotations

import threading
from contextlib import suppress
from random import Random

import pymysql
from pymysql.cursors import Cursor

from libs.core.catalogue import CAUSE, HOLDER
from libs.lab.accounts import Connection
from libs.lab.injection import wait_until
from libs.lab.server import set_global, status, variable
from libs.lab.truth import Truth
from libs.lab.workload import Workload
from libs.redaction.sql import normalise
from tests.integration.shard.matrix.foreign.clinic import (
    BEDS,
    DATABASE,
    PATIENTS,
    USER,
    VISITS,
    Clinic,
    Fault,
    among,
    execute,
    on,
)


def _enough(clients: Workload, number: int) -> None:
    wait_until(lambda: clients.operations >= number, "the statements")


def _slow(
    clinic: Clinic,
    kind: str,
    statement: str,
    *tables: str,
    connections: int = 4,
    per_second: float = 25.0,
    upto: int = 9_000,
) -> Truth:
    clients = clinic.run("lookup", connections, per_second, statement, among(upto))
    _enough(clients, 10)
    return clinic.by_statement(kind, statement, *tables)


def looks_for_an_end(clinic: Clinic) -> Truth:
    """LIKE with a leading percent sign."""
    return _slow(
        clinic, "query.missing_index", "SELECT visit_no FROM visits WHERE phone LIKE CONCAT('%%', %s)", "visits"
    )


def calculates_with_the_column(clinic: Clinic) -> Truth:
    """A function around the indexed column."""
    statement = "SELECT visit_no, reason FROM visits WHERE RIGHT(phone, 5) = %s"
    return _slow(clinic, "query.missing_index", statement, "visits")


def compares_text_with_a_number(clinic: Clinic) -> Truth:
    """The column is text, the value a number."""
    statement = "SELECT visit_no, reason FROM visits WHERE phone = 5550000 + %s"
    return _slow(clinic, "query.missing_index", statement, "visits")


def joins_without_an_index(clinic: Clinic) -> Truth:
    """A join over a column that has none."""
    statement = "SELECT b.bed_no, v.reason FROM beds b JOIN visits v ON v.bed_label = b.label WHERE b.bed_no = %s"
    return _slow(clinic, "query.missing_index", statement, "beds", "visits", upto=BEDS)


_LISTED = "SELECT b.bed_no, v.reason FROM beds b JOIN visits v ON v.bed_label = b.label WHERE b.ward = CONCAT('W', %s)"


def joins_many_without_an_index(clinic: Clinic) -> Truth:
    """A join of several rows over a column that has none: MariaDB does not count what it reads for that."""
    return _slow(clinic, "query.missing_index", _LISTED, "beds", "visits", upto=4)


def sorts_for_a_few(clinic: Clinic) -> Truth:
    """The latest few by a column without an index, and no WHERE at all."""
    statement = "SELECT visit_no, reason FROM visits ORDER BY reason DESC LIMIT 5"
    clients = clinic.run("wallboard", 4, 25.0, statement)
    _enough(clients, 10)
    return clinic.by_statement("query.missing_index", statement, "visits")


def counts_few(clinic: Clinic) -> Truth:
    """A COUNT of very few rows."""
    statement = "SELECT COUNT(*) FROM visits WHERE bed_label = CONCAT('bed ', %s)"
    return _slow(clinic, "query.missing_index", statement, "visits")


def changes_without_an_index(clinic: Clinic) -> Truth:
    """A single session's updates find their row by reading all, and nobody waits for it."""
    statement = "UPDATE visits SET ward = 'W7' WHERE bed_label = CONCAT('no bed ', %s)"
    return _slow(clinic, "query.missing_index", statement, "visits", connections=1, per_second=12.0)


def _spills(clinic: Clinic, statement: str) -> Truth:
    set_global(clinic.administrator, clinic.undo, "tmp_table_size", 64 * 1024)
    clients = clinic.run("statistics", 3, 6.0, statement, among(50))
    _enough(clients, 5)
    variable_entity = ((CAUSE, "variable", "tmp_table_size"),)
    return clinic.by_statement("query.temp_spill", statement, "visits", more=variable_entity)


def distinct_to_disk(clinic: Clinic) -> Truth:
    """DISTINCT keeps too much."""
    return _spills(clinic, "SELECT DISTINCT reason, ward FROM visits WHERE visit_no > %s ORDER BY ward LIMIT 10")


def union_to_disk(clinic: Clinic) -> Truth:
    """UNION keeps too much."""
    return _spills(
        clinic,
        "SELECT COUNT(*) FROM (SELECT reason FROM visits WHERE visit_no > %s UNION SELECT phone FROM visits) AS all_",
    )


def adds_all_up(clinic: Clinic) -> Truth:
    """Everything is summed up again and again, by several clients."""
    statement = "SELECT ward, COUNT(DISTINCT phone), AVG(LENGTH(reason)) FROM visits GROUP BY ward"
    clients = clinic.run("board", 4, 12.0, statement)
    _enough(clients, 8)
    return clinic.by_statement("query.heavy_scan", statement, "visits")


def loses_its_index(clinic: Clinic) -> Truth:
    """The index that a statement used is dropped."""
    statement = "SELECT visit_no, reason FROM visits WHERE phone = CAST(5550000 + %s AS CHAR)"
    clients = clinic.run("lookup", 3, 25.0, statement, among(9_000))
    _enough(clients, 120)
    clinic.administrator.execute(f"ALTER TABLE {DATABASE}.visits DROP INDEX by_phone")
    before = clients.operations
    _enough(clients, before + 20)
    return clinic.by_statement("query.plan_regression", statement, "visits")


def loses_the_index_of_a_join(clinic: Clinic) -> Truth:
    """The index that a join went by is dropped."""
    clinic.administrator.execute(f"ALTER TABLE {DATABASE}.visits ADD INDEX by_label (bed_label)")
    clients = clinic.run("lookup", 3, 25.0, _LISTED, among(4))
    _enough(clients, 120)
    clinic.administrator.execute(f"ALTER TABLE {DATABASE}.visits DROP INDEX by_label")
    _enough(clients, clients.operations + 20)
    return clinic.by_statement("query.plan_regression", _LISTED, "beds", "visits")


def loses_sight_of_its_index(clinic: Clinic) -> Truth:
    """The index that a statement used is hidden from the optimizer."""
    statement = "SELECT visit_no FROM visits WHERE phone = CAST(5550000 + %s AS CHAR)"
    clients = clinic.run("lookup", 3, 25.0, statement, among(9_000))
    _enough(clients, 120)
    hidden = "IGNORED" if clinic.administrator.is_mariadb() else "INVISIBLE"
    clinic.administrator.execute(f"ALTER TABLE {DATABASE}.visits ALTER INDEX by_phone {hidden}")
    _enough(clients, clients.operations + 20)
    return clinic.by_statement("query.plan_regression", statement, "visits")


def children_of_each(clinic: Clinic) -> Truth:
    """For each patient of a list their visits are loaded, several rows each."""
    patients = "SELECT patient_no FROM visits WHERE visit_no BETWEEN %s AND %s + 24"
    each = "SELECT visit_no, seen_on, reason FROM visits WHERE patient_no = %s ORDER BY visit_no"

    def operate(cursor: Cursor, chance: Random) -> None:
        first = chance.randint(1, PATIENTS)
        cursor.execute(patients, (first, first))
        for (patient,) in cursor.fetchall():
            cursor.execute(each, (patient,))

    _enough(clinic.set_to_work("ward-round", 3, 8.0, operate), 8)
    return clinic.by_statement("traffic.n_plus_one", each, "visits")


def one_by_one(clinic: Clinic) -> Truth:
    """For each entry of a short list one row is looked up in another table."""
    entries = "SELECT visit_no, visit_no %% 300 + 1 FROM visits WHERE visit_no BETWEEN %s AND %s + 11"
    each = "SELECT balance FROM ledger WHERE account = %s"

    def operate(cursor: Cursor, chance: Random) -> None:
        first = chance.randint(1, PATIENTS)
        cursor.execute(entries, (first, first))
        for _, account in cursor.fetchall():
            cursor.execute(each, (account,))

    _enough(clinic.set_to_work("invoices", 4, 16.0, operate), 16)
    return clinic.by_statement("traffic.n_plus_one", each, "ledger")


_SOON = 14
"""So many connections are opened at once, the others one after another."""


class _Leak(threading.Thread):
    def __init__(self, clinic: Clinic, program: str, most: int, pause: float) -> None:
        super().__init__(name=program, daemon=True)
        self._clinic, self._most, self._pause = clinic, most, pause
        self.opened: list[Connection] = []
        self._stopping = threading.Event()
        clinic.undo.callback(self.stop)

    def run(self) -> None:
        with suppress(pymysql.Error):
            while len(self.opened) < self._most and not self._stopping.wait(
                self._pause if self.opened[_SOON:] else 0.05
            ):
                connection = self._clinic.application.connect(program=self.name, database=DATABASE)
                self.opened.append(connection)
                execute(connection, "SELECT 1 FROM beds LIMIT 1")

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        for connection in self.opened:
            with suppress(pymysql.Error):
                connection.close()


def two_leak(clinic: Clinic) -> Truth:
    """Two programs leak at the same time."""
    leaks = [_Leak(clinic, "fax-gateway", 42, 0.5), _Leak(clinic, "label-printer", 38, 0.6)]
    for leak in leaks:
        leak.start()
    wait_until(lambda: all(len(leak.opened) > 12 for leak in leaks), "the leaks")
    first, second = (
        Truth("connections.leak", ((HOLDER, "user", USER), (HOLDER, "program", leak.name))) for leak in leaks
    )
    return Truth(first.kind, first.entities, (second,))


def slow_leak(clinic: Clinic) -> Truth:
    """One connection every second, far from the limit."""
    leak = _Leak(clinic, "pager", 60, 0.7)
    leak.start()
    wait_until(lambda: len(leak.opened) > 12, "the leak")
    return Truth("connections.leak", ((HOLDER, "user", USER), (HOLDER, "program", leak.name)))


def limit_lowered(clinic: Clinic) -> Truth:
    """The limit was lowered below what the clients need."""
    set_global(clinic.administrator, clinic.undo, "max_connections", 30)
    clients = clinic.run("kiosk", 40, 30.0, "SELECT label FROM beds WHERE bed_no = %s", among(40))
    wait_until(lambda: "1040" in clients.problems, "the refusals")
    owner = ((HOLDER, "user", USER), (HOLDER, "program", "kiosk"))
    return Truth("connections.exhausted", (*owner, (CAUSE, "variable", "max_connections")))


def all_wait_for_one(clinic: Clinic) -> Truth:
    """Everybody waits for one transaction, until no connection is left."""
    number = execute(clinic.open("planner"), "UPDATE beds SET occupant = 0")
    room = int(variable(clinic.administrator, "max_connections"))
    move = "UPDATE beds SET occupant = occupant + 1 WHERE bed_no = %s"
    clients = clinic.run("nurse-app", room, float(room), move, among(40))
    wait_until(lambda: "1040" in clients.problems, "the refusals")
    return clinic.held_by("lock.row_blocker", number, "planner", "beds")


def super_read_only(clinic: Clinic) -> Truth:
    """Not even administrators may write."""
    return _read_only(clinic, "super_read_only")


def read_only_inserts(clinic: Clinic) -> Truth:
    """Inserts and deletes are refused."""
    return _read_only(clinic, "read_only")


def _read_only(clinic: Clinic, name: str) -> Truth:
    clinic.undo.callback(clinic.administrator.execute, "SET GLOBAL read_only = 0")
    clinic.administrator.execute(f"SET GLOBAL {name} = 1")
    clients = clinic.run("registry", 2, 5.0, "INSERT INTO tallies VALUES (NOW() - INTERVAL %s DAY, 1)", among(5000))
    wait_until(lambda: "1290" in clients.problems or "1836" in clients.problems, "the refusals")
    return Truth("config.read_only", ((CAUSE, "variable", "read_only"),))


def statements_cut_off(clinic: Clinic) -> Truth:
    """A limit on statements that is shorter than they take."""
    mariadb = clinic.administrator.is_mariadb()
    name, value, counter = (
        ("max_statement_time", "0.05", "Max_statement_time_exceeded")
        if mariadb
        else ("max_execution_time", 50, "Max_execution_time_exceeded")
    )
    clinic.undo.callback(clinic.administrator.execute, f"SET GLOBAL {name} = 0")
    before = status(clinic.administrator, counter)
    clinic.administrator.execute(f"SET GLOBAL {name} = {value}")
    clinic.run("report", 3, 3.0, "SELECT SLEEP(0.2), reason FROM visits WHERE visit_no = %s", among(VISITS))
    wait_until(lambda: status(clinic.administrator, counter) >= before + 5, "the time-outs")
    return Truth("config.change", ((CAUSE, "variable", name),))


def packets_too_large(clinic: Clinic) -> Truth:
    """The largest packet became smaller than what clients send."""
    set_global(clinic.administrator, clinic.undo, "max_allowed_packet", 16 * 1024)
    before = status(clinic.administrator, "Aborted_clients")

    def send(cursor: Cursor, _chance: Random) -> None:
        cursor.execute("SELECT LENGTH(%s) FROM beds LIMIT 1", ("x" * 60_000,))

    clinic.set_to_work("scanner", 3, 3.0, send)
    wait_until(lambda: status(clinic.administrator, "Aborted_clients") >= before + 4, "the aborted clients")
    return Truth("config.change", ((CAUSE, "variable", "max_allowed_packet"),))


def never_ends(clinic: Clinic) -> Truth:
    """Reports of everything with everything; as none ends, the engine gives them no digest, but Storex its own."""
    statement = (
        "SELECT a.ward, COUNT(*), SUM(LENGTH(a.reason) * LENGTH(b.reason)) FROM visits a JOIN visits b"
        " ON a.ward <> b.ward GROUP BY a.ward"
    )
    for _ in range(3):
        clinic.under_way("quarterly", statement)
    count = "SELECT COUNT(*) FROM information_schema.processlist WHERE time >= 3 AND info LIKE 'SELECT a.ward%'"
    wait_until(lambda: int(clinic.administrator.execute(count)[0][0]) >= 3, "the reports")
    return Truth("query.heavy_scan", ((CAUSE, "statement_digest", normalise(statement).digest), *on("visits")))


FAULTS = {
    "missing_index.like": Fault("LIKE with a leading %", looks_for_an_end),
    "missing_index.function": Fault("A function around the indexed column", calculates_with_the_column),
    "missing_index.conversion": Fault("Text compared with a number", compares_text_with_a_number),
    "missing_index.join": Fault("A join over a column without an index", joins_without_an_index),
    "missing_index.join_many": Fault(
        "A join of several rows over a column without an index", joins_many_without_an_index
    ),
    "missing_index.sort": Fault("The latest few by a column without an index, no WHERE", sorts_for_a_few),
    "missing_index.count": Fault("A COUNT of very few rows", counts_few),
    "missing_index.update": Fault("Updates without an index for which nobody waits", changes_without_an_index),
    "temp_spill.distinct": Fault("DISTINCT over more than fits in memory", distinct_to_disk),
    "temp_spill.union": Fault("UNION over more than fits in memory", union_to_disk),
    "heavy_scan.group": Fault("A whole table is summed up all the time", adds_all_up),
    "heavy_scan.never_ends": Fault("Several sessions run a statement of which no call ends", never_ends),
    "plan_regression.dropped": Fault("The index in use is dropped", loses_its_index),
    "plan_regression.join": Fault("The index that a join went by is dropped", loses_the_index_of_a_join),
    "plan_regression.hidden": Fault("The index in use is hidden from the optimizer", loses_sight_of_its_index),
    "n_plus_one.children": Fault("Several rows for each entry of a list", children_of_each),
    "n_plus_one.short": Fault("A short list, looked up in another table one by one", one_by_one),
    "leak.two": Fault("Two programs leak connections", two_leak),
    "leak.slow": Fault("A leak far below the limit", slow_leak),
    "exhausted.lowered": Fault("max_connections was lowered", limit_lowered, seen_late=False),
    "exhausted.behind_a_lock": Fault(
        "Everybody waits for one transaction until no connection is left", all_wait_for_one
    ),
    "read_only.super": Fault("super_read_only", super_read_only, "MySQL"),
    "read_only.inserts": Fault("Inserts on a read-only server", read_only_inserts),
    "change.statement_limit": Fault("A limit on the time of statements", statements_cut_off),
    "change.packet": Fault("max_allowed_packet below what clients send", packets_too_large),
}
"""By name: the cause's id without its family, and the way."""
