"""The database accounts: the least that Storex needs, and those of the shop's services."""

from __future__ import annotations

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

    def connect(self, *, program: str, database: str | None = None, **options: Any) -> Connection:
        """A connection that introduces itself as `program`; autocommit is on unless told otherwise."""
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
