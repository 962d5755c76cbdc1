"""An import commits every row by itself, and the server was told to flush its logs at every commit."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import set_global

_VARIABLE = "innodb_flush_log_at_trx_commit"
_PROGRAM, _CONNECTIONS, _PER_SECOND, _ROWS = "scan-import", 4, 20.0, 20
_ENOUGH_RUN = 10


def inject(target: Target) -> Injection:
    """Set both logs to be flushed, start the import, and wait until some of it is done."""
    history = target.service.history
    statement = f"UPDATE {history.table} SET created_at = NOW() WHERE id = %s"  # noqa: S608 - a constant

    def import_rows(cursor: Cursor, chance: Random) -> None:
        for _ in range(_ROWS):
            cursor.execute(statement, (chance.randint(1, HISTORY_ROWS),))
            cursor.connection.commit()

    injection = Injection(
        user=target.application.user, program=_PROGRAM, table=history.table, statement=statement, variable=_VARIABLE
    )
    with injection.undo as undo:
        set_global(target.administrator, undo, _VARIABLE, 1)
        set_global(target.administrator, undo, "sync_binlog", 1)
        programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (import_rows,))]
        return set_to_work(target, programs, injection, "innodb.flush_per_commit", enough=_ENOUGH_RUN)
