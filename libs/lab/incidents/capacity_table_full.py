"""A table in memory has reached its limit: every insert into it fails."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import create_table

_TABLE, _ROWS = "session_cache", 500
_PROGRAM, _CONNECTIONS, _PER_SECOND = "session-store", 3, 6.0
_FULL = "1114"


def inject(target: Target) -> Injection:
    """Make a table for few rows and let clients fill it, until an insert is refused."""
    insert = f"INSERT INTO {_TABLE} (token, body) VALUES (%s, %s)"  # noqa: S608 - a constant

    def open_sessions(cursor: Cursor, chance: Random) -> None:
        for _ in range(_ROWS):
            cursor.execute(insert, (f"{chance.getrandbits(128):032x}", "x" * 200))

    injection = Injection(user=target.application.user, program=_PROGRAM, table=_TABLE, statement=insert)
    with injection.undo as undo:
        columns = f"(token CHAR(32), body CHAR(200)) ENGINE=MEMORY MAX_ROWS={_ROWS} CHARACTER SET latin1"
        create_table(target, undo, _TABLE, columns)
        return work_until(
            target,
            [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (open_sessions,))],
            injection,
            "capacity.table_full",
            lambda clients: _FULL in clients.problems,
        )
