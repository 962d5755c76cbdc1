"""A dashboard counts the whole of the largest table, again and again; no index would spare it that."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram

_PROGRAM = "dashboard"
_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 4, 12.0, 10


def inject(target: Target) -> Injection:
    """Start the dashboard, and wait until some counts have come back."""
    history = target.service.history
    count = (
        f"SELECT HOUR(created_at) AS hour, COUNT(*) AS times, AVG(LENGTH({history.column})) AS width"  # noqa: S608 - constants
        f" FROM {history.table} GROUP BY HOUR(created_at)"
    )

    def draw(cursor: Cursor, _chance: Random) -> None:
        cursor.execute(count)

    injection = Injection(user=target.application.user, program=_PROGRAM, table=history.table, statement=count)
    programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (draw,))]
    return set_to_work(target, programs, injection, "query.heavy_scan", enough=_ENOUGH_RUN)
