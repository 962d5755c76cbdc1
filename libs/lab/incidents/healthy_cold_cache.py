"""A control: the server starts with an empty buffer pool and reads from disk until the pool is warm again."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import restart, set_global

_PROGRAM, _CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = "timeline-page", 2, 20.0, 10


def inject(target: Target) -> Injection:
    """Restart without keeping the pool's contents, and read as usual."""
    history = target.service.history

    def show_a_timeline(cursor: Cursor, chance: Random) -> None:
        statement = f"SELECT id, {history.column} FROM {history.table} WHERE id > %s ORDER BY id LIMIT 20"  # noqa: S608 - constants
        cursor.execute(statement, (chance.randrange(HISTORY_ROWS),))

    injection = Injection()
    with injection.undo as undo:
        set_global(target.administrator, undo, "innodb_buffer_pool_dump_at_shutdown", 0)
        restart(target)
        programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (show_a_timeline,))]
        return set_to_work(target, programs, injection, "healthy.cold_cache", enough=_ENOUGH_RUN)
