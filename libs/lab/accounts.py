"""The database accounts: the least that Storex needs, and those of the shop's services."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pymysql

from libs.lab.engines import Kind

STOREX_USER = "storex"

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BOTH = (
    "PROCESS, REFERENCES, SHOW VIEW, SHOW DATABASES ON *.*",
    "SELECT ON performance_schema.*",
    "SELECT, EXECUTE ON sys.*",
    "SELECT ON mysql.innodb_index_stats",
    "SELECT ON mysql.innodb_table_stats",
)
_REPLICATION = {"MariaDB": "BINLOG MONITOR, REPLICA MONITOR ON *.*", "MySQL": "REPLICATION CLIENT ON *.*"}

_TOO_MANY_CONNECTIONS = 1040
_PATIENCE_SECONDS, _RETRY_SECONDS = 10.0, 0.02

Connection: TypeAlias = "pymysql.Connection[pymysql.cursors.Cursor]"


def grants(kind: Kind) -> tuple[str, ...]:
    """What Storex's account is granted, each as `PRIVILEGES ON SCOPE`; it reads no application's rows."""
    return (*_BOTH, _REPLICATION[kind])


@dataclass(frozen=True, slots=True)
class Login:
    """A database server and an account there."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    is_patient: bool = False
    """Whether to try again for some seconds when the server has no connection left, as an operator would."""

    def connect(self, *, program: str, database: str | None = None, **options: Any) -> Connection:
        """A connection that introduces itself as `program`; autocommit is on unless told otherwise."""
        until = time.monotonic() + (_PATIENCE_SECONDS if self.is_patient else 0)
        while True:
            try:
                return self._connect(program, database, options)
            except pymysql.err.OperationalError as problem:
                if problem.args[0] != _TOO_MANY_CONNECTIONS or time.monotonic() > until:
                    raise
            time.sleep(_RETRY_SECONDS)

    def _connect(self, program: str, database: str | None, options: dict[str, Any]) -> Connection:
        return pymysql.connect(
            host=self.host,
            port=self.port,
            user=self.user,
            password=self.password,
            database=database,
            program_name=program,
            **{
                "autocommit": True,
                "connect_timeout": 10,
                "ssl_disabled": self.host
                in _LOOPBACK,  # the driver would load every CA certificate for each connection
                **options,
            },
        )

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement in a connection of its own and return its rows. Raises pymysql errors."""
        with self.connect(program="lab") as connection, connection.cursor() as cursor:
            cursor.execute(statement, tuple(parameters) or None)
            return list(cursor.fetchall())

    def is_mariadb(self) -> bool:
        """Whether the server is MariaDB, by what it says of its version."""
        return "MariaDB" in str(self.execute("SELECT VERSION()")[0][0])


def connection_id(connection: Connection) -> int:
    """The connection's id, as the server and KILL know it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        (number,) = cursor.fetchone() or (0,)
        return int(number)


def global_status(connection: Connection, name: str) -> str:
    """The value of a server status variable; empty where the server has none of that name."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
        (_, value) = cursor.fetchone() or ("", "")
        return str(value)


def create_account(administrator: Connection, user: str, password: str, privileges: Sequence[str]) -> None:
    """Create an account for clients from anywhere, with each of `privileges` (`PRIVILEGES ON SCOPE`)."""
    with administrator.cursor() as cursor:
        cursor.execute("CREATE USER %s@'%%' IDENTIFIED BY %s", (user, password))
        for privilege in privileges:
            cursor.execute(f"GRANT {privilege} TO %s@'%%'", (user,))
