"""Numbers and room that run out, settings that make statements fail, and accounts that are refused."""

from __future__ import annotations

import threading

import pymysql

from libs.core.catalogue import CAUSE
from libs.lab.accounts import Login
from libs.lab.injection import wait_until
from libs.lab.server import set_global
from libs.lab.truth import Truth
from libs.lab.workload import Workload
from tests.integration.shard.matrix.foreign.clinic import DATABASE, Clinic, Fault, among, on


def _failing(clients: Workload, error: str) -> None:
    wait_until(lambda: error in clients.problems, "the failures")


def _make(clinic: Clinic, *statements: str) -> None:
    for statement in statements:
        clinic.administrator.execute(statement)


def small_numbers(clinic: Clinic) -> Truth:
    """A TINYINT has gone up to its end."""
    table = f"{DATABASE}.tickets"
    _make(
        clinic,
        f"CREATE TABLE {table} (id TINYINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, n INT)",
        f"INSERT INTO {table} VALUES (255, 1)",
    )
    clinic.run("ticketing", 1, 3.0, "INSERT INTO tickets (n) VALUES (%s)", among(5))
    return Truth("capacity.auto_increment", on("tickets"))


def numbers_of_a_key(clinic: Clinic) -> Truth:
    """The column that has used up its numbers is the first of a key of two."""
    table = f"{DATABASE}.items"
    _make(
        clinic,
        f"CREATE TABLE {table} (grp INT, id SMALLINT AUTO_INCREMENT, n INT, PRIMARY KEY (id, grp))",
        f"INSERT INTO {table} VALUES (1, 32766, 1)",
    )
    clinic.run("ticketing", 1, 3.0, "INSERT INTO items (grp, n) VALUES (1, %s)", among(5))
    return Truth("capacity.auto_increment", on("items"))


def numbers_for_minutes(clinic: Clinic) -> Truth:
    """There are numbers left, for minutes at the rate at which they are used."""
    table = f"{DATABASE}.events"
    _make(clinic, f"CREATE TABLE {table} (id INT PRIMARY KEY AUTO_INCREMENT, n INT) AUTO_INCREMENT = 2147480000")
    clinic.run("tracker", 2, 10.0, "INSERT INTO events (n) VALUES (%s)", among(5))
    return Truth("capacity.auto_increment", on("events"))


def a_word_for_a_name(clinic: Clinic) -> Truth:
    """The table without an index is called by a word of SQL, which engines print in another way."""
    table = f"{DATABASE}.user"
    _make(
        clinic,
        f"CREATE TABLE {table} (id INT PRIMARY KEY AUTO_INCREMENT, value INT, body CHAR(50))",
        f"INSERT INTO {table} (value, body) SELECT visit_no, 'x' FROM {DATABASE}.visits",
    )
    clients = clinic.run("profile", 4, 25.0, "SELECT id, body FROM user WHERE value = %s", among(9_000))
    wait_until(lambda: clients.operations >= 10, "the statements")
    return Truth("query.missing_index", on("user"))


def stricter(clinic: Clinic) -> Truth:
    """The SQL mode became strict, and refuses what a program has always written."""
    set_global(clinic.administrator, clinic.undo, "sql_mode", "STRICT_ALL_TABLES,NO_ZERO_DATE")
    write = "INSERT INTO tallies VALUES ('0000-00-00', %s)"
    _failing(clinic.run("legacy", 3, 10.0, write, among(5)), "1292")
    return Truth("config.change", ((CAUSE, "variable", "sql_mode"),))


def safer(clinic: Clinic) -> Truth:
    """Updates without a key are refused from now on."""
    set_global(clinic.administrator, clinic.undo, "sql_safe_updates", 1)
    write = "UPDATE visits SET ward = 'W3' WHERE ward = CONCAT('Z', %s)"
    _failing(clinic.run("legacy", 3, 10.0, write, among(5)), "1175")
    return Truth("config.change", ((CAUSE, "variable", "sql_safe_updates"),))


def _refused(clinic: Clinic, user: str, password: str, database: str | None = None) -> None:
    """A program that tries to log in all the time."""
    stopping, refused = threading.Event(), []
    login = Login(clinic.application.host, clinic.application.port, user, password)

    def work() -> None:
        while not stopping.wait(0.25):
            try:
                login.connect(program="sync", database=database or "").close()
            except pymysql.Error as error:
                refused.append(error)

    def stop() -> None:
        stopping.set()
        thread.join(10.0)

    thread = threading.Thread(target=work, name="sync", daemon=True)
    clinic.undo.callback(stop)
    thread.start()
    wait_until(lambda: len(refused) >= 5, "the refusals")


def an_unknown_user(clinic: Clinic) -> Truth:
    """The account was dropped, and its program goes on."""
    _refused(clinic, "long_gone", "whatever")
    return Truth("access.auth_failed")


def another_database(clinic: Clinic) -> Truth:
    """The account is right, and has no right to the database that it asks for."""
    clinic.administrator.execute("CREATE DATABASE archive")
    _refused(clinic, clinic.application.user, clinic.application.password, "archive")
    return Truth("access.auth_failed")


FAULTS = {
    "auto_increment.tiny": Fault("A TINYINT column has used up its numbers", small_numbers),
    "auto_increment.composite": Fault("A column of a composite key has used up its numbers", numbers_of_a_key),
    "auto_increment.soon": Fault("Numbers are left for minutes", numbers_for_minutes),
    "missing_index.word": Fault("A table without an index that is called `user`", a_word_for_a_name),
    "change.sql_mode": Fault("The SQL mode became strict", stricter, seen_late=False),
    "change.safe_updates": Fault("sql_safe_updates was set", safer, seen_late=False),
    "auth_failed.unknown": Fault("An account that is no more", an_unknown_user),
    "auth_failed.database": Fault("No right to the database", another_database),
}
