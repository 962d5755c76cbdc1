"""A new ranking groups more than the server lets a temporary table hold in memory, so it is written to disk."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import set_global

_PROGRAM = "ranking-page"
_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 3, 4.0, 3
_LIMIT_BYTES = 256 * 1024
_ROWS = 20_000


def inject(target: Target) -> Injection:
    """Lower the limit, start the ranking, and wait until some have come back."""
    history = target.service.history
    rank = (
        f"SELECT {history.column}, COUNT(*) AS times, MAX(created_at) AS latest FROM {history.table}"  # noqa: S608 - constants
        f" WHERE id > %s GROUP BY {history.column} ORDER BY times DESC LIMIT 10"
    )

    def show_ranking(cursor: Cursor, chance: Random) -> None:
        cursor.execute(rank, (HISTORY_ROWS - _ROWS + chance.randint(1, 1000),))

    injection = Injection(
        user=target.application.user,
        program=_PROGRAM,
        table=history.table,
        statement=rank,
        variable="tmp_table_size",
    )
    with injection.undo as undo:
        set_global(target.administrator, undo, injection.variable, _LIMIT_BYTES)
        programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (show_ranking,))]
        return set_to_work(target, programs, injection, "query.temp_spill", enough=_ENOUGH_RUN)
