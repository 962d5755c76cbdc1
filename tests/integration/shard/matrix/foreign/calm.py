"""Things that are loud, and harmless: nothing is to be said of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pymysql
from pymysql.cursors import Cursor

from libs.lab.accounts import Login
from libs.lab.server import set_global
from tests.integration.shard.matrix.foreign.clinic import DATABASE, Clinic, among, execute

Round = Callable[[Cursor, threading.Event], None]


def _again_and_again(clinic: Clinic, login: Login, program: str, one_round: Round, pause: float) -> None:
    """A client of its own that does one round after the other until the end."""
    stopping = threading.Event()

    def work() -> None:
        with login.connect(program=program, database=DATABASE) as connection, connection.cursor() as cursor:
            while not stopping.wait(pause):
                one_round(cursor, stopping)

    def stop() -> None:
        stopping.set()
        thread.join(10.0)

    thread = threading.Thread(target=work, name=program, daemon=True)
    clinic.undo.callback(stop)
    thread.start()


def dumps_everything(clinic: Clinic) -> None:
    """A dump reads every table in one transaction, while others write."""

    def dump(cursor: Cursor, stopping: threading.Event) -> None:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        for table in ("beds", "visits", "stays", "ledger", "tallies"):
            cursor.execute(f"SELECT /*!40001 SQL_NO_CACHE */ * FROM {table}")
            cursor.fetchall()
            stopping.wait(0.3)
        cursor.execute("ROLLBACK")

    clinic.run("billing", 2, 10.0, "UPDATE ledger SET balance = balance + 1 WHERE account = %s", among(300))
    _again_and_again(clinic, clinic.administrator, "nightly-dump", dump, 1.0)


def writes_in_chunks(clinic: Clinic) -> None:
    """Rows are written and removed by the hundred, a commit each."""
    columns = "patient_no, ward, phone, reason, bed_label, seen_on"
    row = f"INSERT INTO visits ({columns}) VALUES (%s, 'W1', '1', 'x', 'b', NOW())"

    def chunk(cursor: Cursor, _stopping: threading.Event) -> None:
        cursor.executemany(row, [(number,) for number in range(500)])
        cursor.connection.commit()
        cursor.execute("DELETE FROM visits WHERE visit_no > 25000 ORDER BY visit_no LIMIT 400")
        cursor.connection.commit()

    _again_and_again(clinic, clinic.application, "import", chunk, 0.2)


def keeps_tables_in_shape(clinic: Clinic) -> None:
    """ANALYZE, OPTIMIZE, CHECK, and small changes of tables that are quickly done."""
    statements = ("ANALYZE TABLE visits", "OPTIMIZE TABLE ledger", "CHECK TABLE beds", "ALTER TABLE stays COMMENT 'x'")

    def maintain(cursor: Cursor, stopping: threading.Event) -> None:
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchall()
            stopping.wait(1.0)

    _again_and_again(clinic, clinic.administrator, "housekeeping", maintain, 0.5)


def fills_its_pool(clinic: Clinic) -> None:
    """A service opens its connections at once, and uses some."""
    for _ in range(25):
        execute(clinic.open("intake", autocommit=True), "SELECT 1")
    clinic.run("intake", 3, 5.0, "SELECT label FROM beds WHERE bed_no = %s", among(40))


def sets_what_hurts_nobody(clinic: Clinic) -> None:
    """Several variables are set, to values that nobody feels."""
    harmless = {
        "long_query_time": 2,
        "max_connections": 300,
        "sort_buffer_size": 512 * 1024,
        "slow_query_log": 1,
        "table_open_cache": 1500,
        "wait_timeout": 3600,
    }
    for name, value in harmless.items():
        set_global(clinic.administrator, clinic.undo, name, value)


def mistypes_a_password(clinic: Clinic) -> None:
    """Somebody mistypes a password, twice."""
    login = clinic.application
    for _ in range(2):
        with suppress(pymysql.Error):
            Login(login.host, login.port, login.user, "mistyped").connect(program="console").close()


def comes_and_goes(clinic: Clinic) -> None:
    """A load balancer looks whether the server is there, with a connection each time."""

    def look(_cursor: Cursor, _stopping: threading.Event) -> None:
        with clinic.application.connect(program="load-balancer") as connection:
            execute(connection, "SELECT 1")

    _again_and_again(clinic, clinic.application, "load-balancer", look, 0.3)


def watches_everything(clinic: Clinic) -> None:
    """A monitor reads all that the server tells of itself, twice a second."""
    statements = (
        "SHOW GLOBAL STATUS",
        "SHOW GLOBAL VARIABLES",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM information_schema.processlist",
        "SHOW ENGINE INNODB STATUS",
    )

    def read(cursor: Cursor, _stopping: threading.Event) -> None:
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchall()

    _again_and_again(clinic, clinic.administrator, "monitor", read, 0.5)


def takes_from_a_queue(clinic: Clinic) -> None:
    """Workers take the next free row each, and skip those that are taken."""

    def take(cursor: Cursor, _chance: object) -> None:
        cursor.execute("BEGIN")
        cursor.execute("SELECT account FROM ledger ORDER BY account LIMIT 1 FOR UPDATE SKIP LOCKED")
        for (account,) in cursor.fetchall():
            cursor.execute("UPDATE ledger SET balance = balance + 1 WHERE account = %s", (account,))
        cursor.execute("COMMIT")

    clinic.set_to_work("worker", 4, 20.0, take)


CALM: dict[str, tuple[str, Callable[[Clinic], None]]] = {
    "calm.dump": ("A dump of all tables in one transaction", dumps_everything),
    "calm.chunks": ("Rows written and removed by the hundred", writes_in_chunks),
    "calm.maintenance": ("ANALYZE, OPTIMIZE, CHECK, and small changes of tables", keeps_tables_in_shape),
    "calm.pool": ("A pool that is filled at once", fills_its_pool),
    "calm.settings": ("Variables set to values that nobody feels", sets_what_hurts_nobody),
    "calm.typo": ("A mistyped password", mistypes_a_password),
    "calm.health_check": ("A health check with a connection each time", comes_and_goes),
    "calm.monitor": ("A monitor that reads all there is", watches_everything),
    "calm.queue": ("A queue in a table, with SKIP LOCKED", takes_from_a_queue),
}
"""By name: what happens, and how it is made."""
