"""A clinic's database with its clients: nothing in it is called, sized or used as in the lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from random import Random
from typing import Literal

import pymysql
from pymysql.cursors import Cursor

from libs.core.catalogue import AFFECTED, CAUSE, HOLDER
from libs.lab.accounts import Connection, Login, connection_id, create_account
from libs.lab.injection import wait_until
from libs.lab.observers.server import rows
from libs.lab.observers.statements import digest_pattern
from libs.lab.schema import ClientProgram, Operation
from libs.lab.server import StatementUnderWay, status
from libs.lab.truth import Entity, Truth
from libs.lab.workload import Workload

Choice = Callable[[Random], object]
"""A parameter, chosen each time."""

DATABASE, USER = "clinic", "clinic_rw"
BEDS, VISITS, PATIENTS = 40, 25_000, 5_000

_TABLES = (
    "CREATE TABLE beds (bed_no INT PRIMARY KEY, ward CHAR(4) NOT NULL, occupant INT, label VARCHAR(30) NOT NULL)",
    "CREATE TABLE visits (visit_no BIGINT PRIMARY KEY AUTO_INCREMENT, patient_no INT NOT NULL, ward CHAR(4) NOT NULL,"
    " phone VARCHAR(20) NOT NULL, reason VARCHAR(200) NOT NULL, bed_label VARCHAR(30) NOT NULL, seen_on DATE NOT NULL,"
    " KEY by_patient (patient_no), KEY by_phone (phone), KEY by_day (seen_on))",
    "CREATE TABLE stays (stay INT PRIMARY KEY AUTO_INCREMENT, bed_no INT NOT NULL,"
    " FOREIGN KEY (bed_no) REFERENCES beds (bed_no))",
    "CREATE TABLE ledger (account INT PRIMARY KEY, balance INT NOT NULL)",
    "CREATE TABLE tallies (day DATE PRIMARY KEY, patients INT NOT NULL)",
)


@dataclass(slots=True)
class Clinic:
    """The database, its account, and the administrator's."""

    application: Login
    administrator: Login
    undo: ExitStack

    def set_to_work(self, program: str, connections: int, per_second: float, *operations: Operation) -> Workload:
        """Clients of the application, until the end."""
        clients = Workload(self.application, DATABASE, [ClientProgram(program, connections, per_second, operations)])
        self.undo.callback(clients.stop)
        clients.start()
        return clients

    def run(self, program: str, connections: int, per_second: float, statement: str, *choices: Choice) -> Workload:
        """Clients that run one statement with parameters chosen each time."""

        def operate(cursor: Cursor, chance: Random) -> None:
            cursor.execute(statement, tuple(choose(chance) for choose in choices))

        return self.set_to_work(program, connections, per_second, operate)

    def open(self, program: str, *, as_administrator: bool = False, autocommit: bool = False) -> Connection:
        """A session that stays until the end."""
        login = self.administrator if as_administrator else self.application
        connection = login.connect(program=program, database=DATABASE, autocommit=autocommit)
        self.undo.callback(_end, connection)
        return connection

    def under_way(self, program: str, statement: str, *, as_administrator: bool = False) -> StatementUnderWay:
        """One long statement in a session of its own, until the end."""
        login = self.administrator if as_administrator else self.application
        running = StatementUnderWay(login, statement, program=program, database=DATABASE)
        self.undo.callback(self.kill, running)
        running.start()
        return running

    def kill(self, running: StatementUnderWay) -> None:
        """End a session with a statement under way, and wait for it."""
        with suppress(pymysql.Error):
            self.administrator.execute("KILL %s", [running.connection_id])
        running.join(5.0)

    def wait_for_row_waits(self, number: int = 3) -> None:
        """Until so many sessions wait for row locks."""
        wait_until(lambda: status(self.administrator, "Innodb_row_lock_current_waits") >= number, "the row-lock waits")

    def wait_for_state(self, pattern: str, number: int = 3) -> None:
        """Until so many sessions are in a state like this one."""
        count = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE %s"
        wait_until(lambda: int(self.administrator.execute(count, [pattern])[0][0]) >= number, f"the state {pattern}")

    def held_by(self, kind: str, connection: int, program: str, *tables: str, user: str = USER) -> Truth:
        """The truth about a lock that a session holds."""
        return Truth(
            kind,
            (
                (HOLDER, "connection_id", str(connection)),
                (HOLDER, "user", user),
                (HOLDER, "program", program),
                *on(*tables),
            ),
        )

    def by_statement(self, kind: str, statement: str, *tables: str, more: Sequence[Entity] = ()) -> Truth:
        """The truth about a statement, by the digest that the engine gives it."""
        return Truth(kind, ((CAUSE, "statement_digest", self.digest(statement)), *on(*tables), *more))

    def digest(self, statement: str) -> str:
        """The engine's digest of a statement that has run."""
        query = (
            "SELECT digest FROM performance_schema.events_statements_summary_by_digest"
            " WHERE schema_name = %s AND digest_text LIKE %s ORDER BY last_seen DESC LIMIT 1"
        )
        with self.administrator.connect(program="lab") as observer:
            wait_until(lambda: bool(rows(observer, query, DATABASE, digest_pattern(statement))), "the digest")
            return str(rows(observer, query, DATABASE, digest_pattern(statement))[0][0])


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which something goes wrong, made by `make`, which waits until it can be seen."""

    title: str
    make: Callable[[Clinic], Truth]
    only: Literal["MariaDB", "MySQL", ""] = ""
    seen_late: bool = True
    """Whether a shard that comes later can see it: not on a server that lets nobody in, nor where MySQL forgets."""


def on(*tables: str) -> tuple[Entity, ...]:
    """Tables of the clinic as affected."""
    return tuple((AFFECTED, "table", f"{DATABASE}.{table}") for table in tables)


def among(number: int) -> Choice:
    """A choice from 1 to a number."""
    return lambda chance: chance.randint(1, number)


def build(administrator: Login, undo: ExitStack) -> Clinic:
    """Create the database with its rows and its account, and set its everyday clients to work."""
    with administrator.connect(program="lab") as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4")
        cursor.execute(f"USE {DATABASE}")
        for table in _TABLES:
            cursor.execute(table)
        _fill(cursor)
        password = "not a secret: it lives as long as a test"
        create_account(connection, USER, password, [f"SELECT, INSERT, UPDATE, DELETE, LOCK TABLES ON {DATABASE}.*"])
    application = Login(administrator.host, administrator.port, USER, password)
    clinic = Clinic(application, administrator, undo)
    clinic.run("front-desk", 2, 6.0, "SELECT label FROM beds WHERE bed_no = %s", among(BEDS))
    clinic.run("chart-viewer", 2, 6.0, "SELECT reason FROM visits WHERE patient_no = %s", among(PATIENTS))
    return clinic


def _fill(cursor: Cursor) -> None:
    beds = [(number, f"W{number % 5}", number, f"bed {number}") for number in range(1, BEDS + 1)]
    cursor.executemany("INSERT INTO beds VALUES (%s, %s, %s, %s)", beds)
    visits = [
        (
            number % PATIENTS + 1,
            f"W{number % 5}",
            f"{5_550_000 + number}",
            f"complaint {number} " + "z" * (number % 90),
            f"bed {number % 9_000}",
            f"20{10 + number % 12}-{number % 12 + 1:02}-{number % 28 + 1:02}",
        )
        for number in range(VISITS)
    ]
    statement = "INSERT INTO visits (patient_no, ward, phone, reason, bed_label, seen_on) VALUES (%s,%s,%s,%s,%s,%s)"
    cursor.executemany(statement, visits)
    cursor.executemany("INSERT INTO ledger VALUES (%s, 1000)", [(number,) for number in range(1, 301)])
    cursor.execute("ANALYZE TABLE beds, visits, ledger")
    cursor.fetchall()


def _end(connection: Connection) -> None:
    with suppress(pymysql.Error):
        connection.close()


def execute(connection: Connection, *statements: str) -> int:
    """Run statements in a session and return its id."""
    number = connection_id(connection)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    return number
