"""A control: a pool holds many connections, as it is told to, and uses each of them now and then."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import HOT_ROWS, ClientProgram

_PROGRAM, _CONNECTIONS, _SECONDS_BETWEEN = "session-gateway", 40, 5.0


def inject(target: Target) -> Injection:
    """Fill the pool."""
    hot = target.service.hot

    def look_up(cursor: Cursor, chance: Random) -> None:
        cursor.execute(f"SELECT id FROM {hot.table} WHERE id = %s", (chance.randint(1, HOT_ROWS),))  # noqa: S608 - a constant

    programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _CONNECTIONS / _SECONDS_BETWEEN, (look_up,))]
    return work_until(
        target,
        programs,
        Injection(user=target.application.user, program=_PROGRAM),
        "healthy.idle_pool",
        lambda pool: len(pool.connection_ids) == _CONNECTIONS,
    )
