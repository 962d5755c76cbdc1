"""What a service of the shop is made of, and the creation of its tables.

Rows are made by the server itself, from a table of numbers, in less than a second a service. Each service has a *hot*
table whose first rows many clients change, and a *history* table, its largest, with a column that nobody has indexed.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from pymysql.cursors import Cursor

from libs.lab.accounts import Connection

HISTORY_ROWS = 60_000
"""Rows in each history table at the start."""
HOT_ROWS = 20
"""Ids 1 to this are the rows of the hot table that clients change all the time."""

Operation = Callable[[Cursor, random.Random], None]
"""What a client does at one time, in a transaction of its own that the caller commits."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns and keys, and the `SELECT` list over `n` = 0, 1, 2… that fills it with `rows` rows."""

    name: str
    columns: str
    rows: int
    fill: str


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """A client: its name in the connection attributes, how many connections, operations a second over all of them."""

    name: str
    connections: int
    per_second: float
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The largest table of a service, and a search by its column that has no index."""

    table: str
    column: str
    search: str
    """A statement with one parameter, the value searched for."""
    index: str
    """An index of the table, which `join` follows."""
    join: str
    """A statement with one parameter, a number from 1 to 1,000, that joins a few rows of another table to it."""

    @staticmethod
    def value(number: int) -> str:
        """What the column holds in the row made from this number."""
        return hashlib.sha256(str(number).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Hot:
    """The table whose first rows everybody changes, and the statement that changes one of them by its id."""

    table: str
    update: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service of the shop, with a database and an account of its own."""

    name: str
    tables: tuple[Table, ...]
    programs: tuple[ClientProgram, ...]
    hot: Hot
    history: History

    @property
    def account(self) -> str:
        """The database account that its programs use."""
        return f"{self.name}_app"


def create_database(connection: Connection, database: str) -> None:
    """Create an empty database. Raises pymysql errors, also when it exists already."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")


def create_tables(connection: Connection, service: Service, database: str) -> None:
    """Create the service's tables with their rows in an empty database. Raises pymysql errors."""
    with connection.cursor() as cursor:
        cursor.execute(f"USE `{database}`")
        _create_numbers(cursor)
        for table in service.tables:
            # Else the engine would take new statistics some seconds after the rows came, in the midst of an incident.
            cursor.execute(f"CREATE TABLE `{table.name}` ({table.columns}) ENGINE=InnoDB STATS_AUTO_RECALC=0")
            cursor.execute(f"INSERT INTO `{table.name}` SELECT {table.fill} FROM numbers WHERE n < {table.rows}")  # noqa: S608 - constants of the shop
        cursor.execute("DROP TEMPORARY TABLE numbers")
        cursor.execute("ANALYZE TABLE " + ", ".join(f"`{table.name}`" for table in service.tables))
        cursor.fetchall()
        for table in service.tables:
            cursor.execute(f"ALTER TABLE `{table.name}` STATS_AUTO_RECALC=DEFAULT")


def _create_numbers(cursor: Cursor) -> None:
    """A temporary table `numbers` with n = 0 … 99,999."""
    digits = " UNION ALL ".join(f"SELECT {digit} AS digit" for digit in range(10))
    places = [f"({digits}) AS place{place}" for place in range(5)]
    value = " + ".join(f"{10**place} * place{place}.digit" for place in range(5))
    cursor.execute("CREATE TEMPORARY TABLE numbers (n INT PRIMARY KEY)")
    cursor.execute(f"INSERT INTO numbers SELECT {value} FROM {' CROSS JOIN '.join(places)}")  # noqa: S608 - built from digits
