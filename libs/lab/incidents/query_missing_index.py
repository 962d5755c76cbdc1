"""A new client searches the largest table by a column that has no index, many times a second."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.workload import Workload

_PROGRAM = "support-search"
_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 4, 30.0, 20


def inject(target: Target) -> Injection:
    """Start the searches, and wait until some have come back."""
    history = target.service.history

    def search(cursor: Cursor, chance: Random) -> None:
        cursor.execute(history.search, (history.value(chance.randrange(HISTORY_ROWS)),))

    searches = Workload(
        target.application, target.database, [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (search,))]
    )
    injection = Injection(
        user=target.application.user,
        program=_PROGRAM,
        table=history.table,
        column=history.column,
        statement=history.search,
    )
    with injection.undo as undo:
        undo.callback(searches.stop)
        searches.start()
        wait_until(lambda: searches.operations >= _ENOUGH_RUN, "query.missing_index")
        injection.undo = undo.pop_all()
    return injection
