"""A service was scaled out: all its connections are in use, and more clients come than the server takes."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.errors import IncidentError
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HOT_ROWS, ClientProgram
from libs.lab.server import ordinary_login, status, variable
from libs.lab.workload import Workload

_PROGRAM = "thumbnail-worker"
_MOST, _TOO_MANY = 400, 5
_SECONDS_BETWEEN = 1.5
_REFUSED = "1040"


def inject(target: Target) -> Injection:
    """Start more workers than the server takes, and wait until some have been refused."""
    hot = target.service.hot

    def look_up(cursor: Cursor, chance: Random) -> None:
        cursor.execute(f"SELECT id FROM {hot.table} WHERE id = %s", (chance.randint(1, HOT_ROWS),))  # noqa: S608 - a constant

    room = int(variable(target.administrator, "max_connections")) - status(target.administrator, "Threads_connected")
    if room > _MOST:
        raise IncidentError(f"The server takes {room} more connections; set max_connections lower for this incident.")
    injection = Injection(program=_PROGRAM, variable="max_connections")
    with injection.undo as undo:
        login = ordinary_login(target, undo)  # an administrator would take the connection kept for administrators
        injection.user = login.user
        count = room + _TOO_MANY
        program = ClientProgram(_PROGRAM, count, count / _SECONDS_BETWEEN, (look_up,))
        workers = Workload(login, target.database, [program])
        undo.callback(workers.stop)
        workers.start()
        wait_until(lambda: _REFUSED in workers.problems, "connections.exhausted")
        injection.undo = undo.pop_all()
    return injection
