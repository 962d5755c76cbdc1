"""An update finds its one row without an index, and so locks the whole table while its transaction lasts."""

from __future__ import annotations

import time
from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import status

_PROGRAM = "correction-import"
_PER_SECOND, _TRANSACTION_SECONDS = 4.0, 2.5
_VICTIMS, _ENOUGH_WAITING = 6, 4


def inject(target: Target) -> Injection:
    """Start the import, and wait until clients wait for rows that it does not change."""
    history = target.service.history
    correct = f"UPDATE {history.table} SET created_at = NOW() WHERE {history.column} = %s"  # noqa: S608 - constants

    def correct_one(cursor: Cursor, chance: Random) -> None:
        cursor.execute(correct, (history.value(chance.randrange(HISTORY_ROWS)),))
        time.sleep(_TRANSACTION_SECONDS)

    def touch_one(cursor: Cursor, chance: Random) -> None:
        touch = f"UPDATE {history.table} SET created_at = NOW() WHERE id = %s"  # noqa: S608 - a constant
        cursor.execute(touch, (chance.randint(1, HISTORY_ROWS),))

    injection = Injection(
        user=target.application.user, program=_PROGRAM, table=history.table, column=history.column, statement=correct
    )
    worker = target.service.programs[-1].name
    programs = [
        ClientProgram(_PROGRAM, 1, _PER_SECOND, (correct_one,)),
        ClientProgram(worker, _VICTIMS, 4.0 * _VICTIMS, (touch_one,)),
    ]
    return work_until(
        target,
        programs,
        injection,
        "lock.unindexed_write",
        lambda _: status(target.administrator, "Innodb_row_lock_current_waits") >= _ENOUGH_WAITING,
    )
