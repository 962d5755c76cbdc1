"""What is planted in an engine's own keeping: accounts, schema, rows, statistics, settings."""

from __future__ import annotations

from dataclasses import dataclass

import pymysql

from libs.lab.accounts import STOREX_USER, Connection, create_account, grants
from libs.lab.engines import RunningEngine
from tests.canary.markers import CLIENT_ADDRESS, NUMBER, customer, principal, schema

DATABASE = schema("shop")
CLIENTS, ORDERS, REGIONS, LEDGER = schema("clients"), schema("orders"), schema("regions"), schema("ledger")
INDEX, PARTITION, PROCEDURE = schema("idx"), schema("part"), schema("proc")
USER, PASSWORD = principal("user"), customer("password")
PROGRAM, ATTRIBUTE = principal("program"), principal("attribute")
STOREX_PASSWORD = customer("storexpassword")

_OPTIONS = (
    "--long-query-time=0",
    "--innodb-print-all-deadlocks=ON",
    f"--init-connect=SET @zq = '{customer('initconnect')}'",
    f"--report-host={principal('reporthost')}",
    f"--report-user={principal('reportuser')}",
    f"--report-password={NUMBER}",
)
_OPTIONS_OF = {
    "MariaDB": ("--log-warnings=9",),
    "MySQL": (
        "--log-error-verbosity=3",
        "--binlog-rows-query-log-events=ON",
        f"--mandatory-roles={principal('role')}",
    ),
}

ROWS = tuple(customer(f"row{letter}") for letter in "abcdef")
"""Primary keys of the clients, in order."""


@dataclass(frozen=True, slots=True)
class Planted:
    """An engine with everything planted, and how its application connects."""

    engine: RunningEngine

    def connect(self, *, program: str = PROGRAM, sql_mode: str | None = None) -> Connection:
        """A client of the application, from the marked address and with marked attributes."""
        connection: Connection = pymysql.connect(
            host=self.engine.host,
            port=self.engine.port,
            user=USER,
            password=PASSWORD,
            database=DATABASE,
            program_name=program,
            bind_address=CLIENT_ADDRESS,
            autocommit=True,
            ssl_disabled=True,
            defer_connect=True,
            sql_mode=sql_mode,
        )
        attributes: dict[str, str] = vars(connection)["_connect_attrs"]  # the driver takes but the program from callers
        attributes["deployment"] = ATTRIBUTE
        connection.connect()
        return connection


def start_options(kind: str) -> tuple[str, ...]:
    """Settings that hold canaries, and those that make logs hold them."""
    return _OPTIONS + _OPTIONS_OF[kind]


def plant(engine: RunningEngine) -> Planted:
    """Fill a fresh engine."""
    with engine.connect() as administrator:
        _create_schema(administrator)
        create_account(administrator, USER, PASSWORD, [f"ALL ON `{DATABASE}`.*"])
        explaining = f"SELECT ON `{DATABASE}`.*"
        create_account(administrator, STOREX_USER, STOREX_PASSWORD, [*grants(engine.kind), explaining])
        _gather_statistics(administrator, engine.kind)
        with administrator.cursor() as cursor:
            cursor.execute(f"XA START '{customer('xa')}'")
            cursor.execute(f"UPDATE {LEDGER} SET note = '{customer('xarow')}' WHERE id = 1")
            cursor.execute(f"XA END '{customer('xa')}'")
            cursor.execute(f"XA PREPARE '{customer('xa')}'")
    return Planted(engine)


def _create_schema(administrator: Connection) -> None:
    values = ", ".join(f"('{key}', '{customer('value')}', 'plain', {NUMBER})" for key in ROWS)
    with administrator.cursor() as cursor:
        for statement in (
            f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4",
            f"USE {DATABASE}",
            f"CREATE TABLE {CLIENTS} (id VARCHAR(64) PRIMARY KEY,"
            f" note VARCHAR(200) DEFAULT '{customer('default')}' COMMENT '{customer('columncomment')}',"
            f" kind ENUM('plain', '{customer('enum')}'), amount BIGINT,"
            f" KEY {INDEX} (note) COMMENT '{customer('indexcomment')}') COMMENT = '{customer('tablecomment')}'",
            f"CREATE TABLE {ORDERS} (id INT AUTO_INCREMENT PRIMARY KEY, client VARCHAR(64),"
            f" CONSTRAINT {schema('fk')} FOREIGN KEY (client) REFERENCES {CLIENTS} (id))",
            f"CREATE TABLE {REGIONS} (name VARCHAR(64)) PARTITION BY LIST COLUMNS (name)"
            f" (PARTITION {PARTITION} VALUES IN ('{customer('partition')}'), PARTITION p1 VALUES IN ('x'))",
            f"CREATE TABLE {LEDGER} (id INT PRIMARY KEY, note VARCHAR(64))",
            f"CREATE VIEW {schema('view')} AS SELECT id FROM {CLIENTS} WHERE note <> '{customer('view')}'",
            f"CREATE PROCEDURE {PROCEDURE}(wanted VARCHAR(64))"
            f" SELECT id, '{customer('routine')}', SLEEP(900) FROM {CLIENTS} WHERE note <> wanted",
            f"INSERT INTO {CLIENTS} VALUES {values}",
            f"INSERT INTO {REGIONS} VALUES ('{customer('partition')}')",
            f"INSERT INTO {LEDGER} VALUES (1, '{customer('ledger')}'), (2, 'x'), (3, 'x')",
            f"INSERT INTO {ORDERS} (client) VALUES ('{ROWS[0]}')",
        ):
            cursor.execute(statement)


def _gather_statistics(administrator: Connection, kind: str) -> None:
    with administrator.cursor() as cursor:
        if kind == "MariaDB":
            cursor.execute("SET SESSION histogram_type = 'JSON_HB', histogram_size = 16")
            cursor.execute(f"ANALYZE TABLE {CLIENTS} PERSISTENT FOR ALL")
        else:
            cursor.execute(f"ANALYZE TABLE {CLIENTS} UPDATE HISTOGRAM ON kind, amount, note")
