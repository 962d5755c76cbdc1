"""Clients change the same two rows in either order, and deadlock several times a second."""

from __future__ import annotations

import time
from random import Random

from pymysql.cursors import Cursor

from libs.lab.accounts import Login
from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import innodb_metric, status

_PROGRAM = "bundle-service"
_CONNECTIONS, _PER_SECOND, _ENOUGH = 4, 24.0, 3
_BETWEEN_SECONDS = 0.05


def inject(target: Target) -> Injection:
    """Start the clients, and wait until some of their transactions have been rolled back."""
    hot = target.service.hot

    def change_both(cursor: Cursor, chance: Random) -> None:
        rows = chance.sample((1, 2), 2)
        cursor.execute(hot.update, (rows[0],))
        time.sleep(_BETWEEN_SECONDS)
        cursor.execute(hot.update, (rows[1],))

    before = deadlocks(target.administrator)
    injection = Injection(user=target.application.user, program=_PROGRAM, table=hot.table, statement=hot.update)
    programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (change_both,))]
    return work_until(
        target,
        programs,
        injection,
        "lock.deadlock",
        lambda _: deadlocks(target.administrator) >= before + _ENOUGH,
    )


def deadlocks(login: Login) -> int:
    """Deadlocks since the start: MariaDB counts them in its status, MySQL in InnoDB's metrics."""
    return max(status(login, "Innodb_deadlocks"), innodb_metric(login, "lock_deadlocks"))
