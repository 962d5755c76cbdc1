"""A table's auto-increment column has reached the largest number of its type: every insert fails."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import create_table

_TABLE, _LAST_NUMBERS = "page_views", 2_147_483_640
_PROGRAM, _CONNECTIONS, _PER_SECOND = "click-tracker", 3, 12.0
_EXHAUSTED = ("167", "1062")
"""MariaDB says that the value is out of range, MySQL that the key is there already."""


def inject(target: Target) -> Injection:
    """Make a table with few numbers left, and wait until an insert gets none."""
    insert = f"INSERT INTO {_TABLE} (path) VALUES (%s)"  # noqa: S608 - a constant

    def view_page(cursor: Cursor, chance: Random) -> None:
        cursor.execute(insert, (f"/product/{chance.randint(1, 500)}",))

    injection = Injection(user=target.application.user, program=_PROGRAM, table=_TABLE, column="id", statement=insert)
    with injection.undo as undo:
        columns = "(id INT PRIMARY KEY AUTO_INCREMENT, path VARCHAR(80) NOT NULL) ENGINE=InnoDB"
        create_table(target, undo, _TABLE, f"{columns} AUTO_INCREMENT={_LAST_NUMBERS}")
        return work_until(
            target,
            [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (view_page,))],
            injection,
            "capacity.auto_increment",
            lambda clients: any(code in clients.problems for code in _EXHAUSTED),
        )
