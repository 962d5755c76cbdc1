"""A control: a table that nobody uses is rebuilt for a long time, and nobody waits for it."""

from __future__ import annotations

from libs.lab.injection import Injection, Target, wait_until
from libs.lab.rebuilds import start_copying
from libs.lab.server import create_table

_PROGRAM, _TABLE = "archive-migration", "archived_documents"
_ROWS = 400


def inject(target: Target) -> Injection:
    """Make such a table, start to copy it, and wait until that is under way."""
    injection = Injection()
    with injection.undo as undo:
        create_table(target, undo, _TABLE, "(id INT PRIMARY KEY)")
        rows = ", ".join(f"({number})" for number in range(1, _ROWS + 1))
        target.administrator.execute(f"INSERT INTO `{target.database}`.{_TABLE} VALUES {rows}")  # noqa: S608 - constants
        change = start_copying(target, undo, _TABLE, _PROGRAM)
        at_work = "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s AND command = 'Query'"
        wait_until(
            lambda: bool(target.administrator.execute(at_work, [change.connection_id])[0][0]), "healthy.unseen_ddl"
        )
        injection.undo = undo.pop_all()
    return injection
