"""Statements that reach the server in other ways than as plain text, and those that read much whatever the indexes."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.core.catalogue import CAUSE
from libs.lab.injection import wait_until
from libs.lab.truth import Truth
from libs.lab.workload import Workload
from libs.redaction.sql import normalise
from tests.integration.shard.matrix.foreign.clinic import DATABASE, USER, VISITS, Clinic, Fault, among, on
from tests.integration.shard.prepared import Prepared

_BEDS_TOLD = 9_000


def _enough(clients: Workload, number: int = 12) -> None:
    wait_until(lambda: clients.operations >= number, "the statements")


def _executed(clinic: Clinic, kind: str, statement: str, *tables: str) -> Truth:
    """The truth about a prepared statement; to MariaDB it has no digest, and Storex gives it its own."""
    if clinic.administrator.is_mariadb():
        return Truth(kind, ((CAUSE, "statement_digest", normalise(statement).digest), *on(*tables)))
    return clinic.by_statement(kind, f"EXECUTE {statement}", *tables)


def prepared(clinic: Clinic) -> Truth:
    """The driver prepares in binary what it looks up without an index."""
    statement = "SELECT visit_no, reason FROM visits WHERE bed_label = CONCAT('bed ', ?)"
    handles: dict[int, Prepared] = {}

    def look_up(cursor: Cursor, chance: Random) -> None:
        if id(cursor.connection) not in handles:
            handles[id(cursor.connection)] = Prepared(cursor.connection, statement)
        handles[id(cursor.connection)].execute(chance.randint(1, _BEDS_TOLD))

    _enough(clinic.set_to_work("go-service", 4, 25.0, look_up))
    return _executed(clinic, "query.missing_index", statement, "visits")


def prepared_one_by_one(clinic: Clinic) -> Truth:
    """The driver prepares in binary what it loads for each entry of a list."""
    each = "SELECT balance FROM ledger WHERE account = ?"
    handles: dict[int, tuple[Prepared, Prepared]] = {}

    def load(cursor: Cursor, chance: Random) -> None:
        entries = "SELECT visit_no FROM visits WHERE visit_no BETWEEN ? AND ?"
        if id(cursor.connection) not in handles:
            handles[id(cursor.connection)] = Prepared(cursor.connection, entries), Prepared(cursor.connection, each)
        listed, single = handles[id(cursor.connection)]
        first = chance.randint(1, VISITS - 20)
        listed.execute(first, first + 14)
        for account in range(1, 16):
            single.execute(account)

    _enough(clinic.set_to_work("rust-service", 4, 16.0, load), 20)
    return _executed(clinic, "traffic.n_plus_one", each, "ledger")


def in_a_procedure(clinic: Clinic) -> Truth:
    """What lacks an index stands in a stored procedure."""
    with clinic.administrator.connect(program="lab", database=DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE PROCEDURE `find bed` (wanted INT)"
            " SELECT visit_no, reason FROM visits WHERE bed_label = CONCAT('bed ', wanted)"
        )
        cursor.execute(f"GRANT EXECUTE ON {DATABASE}.* TO {USER}@'%'")
    call = "CALL `find bed`(%s)"
    _enough(clinic.run("legacy", 4, 25.0, call, among(_BEDS_TOLD)))
    return clinic.by_statement("query.missing_index", call)


def in_a_function(clinic: Clinic) -> Truth:
    """What lacks an index stands in a stored function, and a statement without a table calls it."""
    with clinic.administrator.connect(program="lab", database=DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION visits_to (wanted INT) RETURNS INT READS SQL DATA"
            " BEGIN DECLARE found INT;"
            " SELECT COUNT(*) INTO found FROM visits WHERE bed_label = CONCAT('bed ', wanted); RETURN found; END"
        )
        cursor.execute(f"GRANT EXECUTE ON {DATABASE}.* TO {USER}@'%'")
    statement = "SELECT visits_to(%s)"
    _enough(clinic.run("statistics", 4, 25.0, statement, among(_BEDS_TOLD)))
    return clinic.by_statement("query.missing_index", statement)


def draws_lots(clinic: Clinic) -> Truth:
    """ORDER BY RAND(): no index spares it a row."""
    statement = "SELECT bed_label FROM visits ORDER BY RAND() LIMIT 1"
    _enough(clinic.run("quiz", 4, 25.0, statement))
    return clinic.by_statement("query.heavy_scan", statement, "visits")


def turns_far_pages(clinic: Clinic) -> Truth:
    """Far pages by the primary key: all that comes before is read and thrown away."""
    statement = "SELECT visit_no, reason FROM visits ORDER BY visit_no LIMIT 20 OFFSET %s"
    _enough(clinic.run("pager", 4, 60.0, statement, lambda chance: chance.randint(15_000, 20_000)))
    return clinic.by_statement("query.heavy_scan", statement, "visits")


FAULTS = {
    "missing_index.prepared": Fault("A statement prepared in binary lacks an index", prepared),
    "missing_index.procedure": Fault("A statement in a stored procedure lacks an index", in_a_procedure),
    "missing_index.function_call": Fault("A statement in a stored function lacks an index", in_a_function),
    "n_plus_one.prepared": Fault("One lookup for each entry of a list, prepared in binary", prepared_one_by_one),
    "heavy_scan.lots": Fault("ORDER BY RAND()", draws_lots),
    # MariaDB counts reading an index in order as reading without one: the two cannot be told apart there.
    "heavy_scan.pages": Fault("Far pages by the primary key", turns_far_pages, "MySQL"),
}
