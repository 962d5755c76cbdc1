"""The server refuses writes, as a failed switch-over leaves it, and clients go on trying."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HOT_ROWS, ClientProgram
from libs.lab.server import ordinary_login, set_global
from libs.lab.workload import Workload

_VARIABLE = "read_only"
_CONNECTIONS, _PER_SECOND = 4, 8.0
_REFUSED = "1290"


def inject(target: Target) -> Injection:
    """Make the server read-only, and wait until it has refused a client's write."""
    hot = target.service.hot

    def change_hot_row(cursor: Cursor, chance: Random) -> None:
        cursor.execute(hot.update, (chance.randint(1, HOT_ROWS),))

    injection = Injection(program=target.service.programs[0].name, variable=_VARIABLE)
    with injection.undo as undo:
        login = ordinary_login(target, undo)  # administrators may still write
        program = ClientProgram(injection.program, _CONNECTIONS, _PER_SECOND, (change_hot_row,))
        writers = Workload(login, target.database, [program])
        undo.callback(writers.stop)
        set_global(target.administrator, undo, _VARIABLE, 1)
        writers.start()
        wait_until(lambda: _REFUSED in writers.problems, "config.read_only")
        injection.undo = undo.pop_all()
    return injection
