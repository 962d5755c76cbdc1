"""Everybody changes one row, each for a moment: none holds it long, and all wait in turn."""

from __future__ import annotations

import time
from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import status

_PROGRAM = "flash-sale"
_CONNECTIONS, _PER_SECOND, _ENOUGH_WAITING = 10, 200.0, 6
_THINK_SECONDS = 0.04


def inject(target: Target) -> Injection:
    """Start the clients, and wait until most of them wait."""
    hot = target.service.hot

    def take_the_one(cursor: Cursor, _chance: Random) -> None:
        cursor.execute(hot.update, (1,))
        time.sleep(_THINK_SECONDS)

    injection = Injection(user=target.application.user, program=_PROGRAM, table=hot.table, statement=hot.update)
    programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (take_the_one,))]
    return work_until(
        target,
        programs,
        injection,
        "lock.hot_row",
        lambda _: status(target.administrator, "Innodb_row_lock_current_waits") >= _ENOUGH_WAITING,
    )
