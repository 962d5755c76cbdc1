"""The buffer pool was made too small for what is read: pages are read from disk over and over."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import set_global, status, variable

_VARIABLE = "innodb_buffer_pool_size"
_SMALLEST_BYTES = 5 * 1024 * 1024
_PROGRAM, _CONNECTIONS, _PER_SECOND = "similar-items", 4, 40.0
_ROWS_APART = 40
_ENOUGH_READS = 1_500


def inject(target: Target) -> Injection:
    """Shrink the pool, read all over the largest table, and wait until the disk is read for it."""
    history = target.service.history
    injection = Injection(user=target.application.user, program=_PROGRAM, table=history.table, variable=_VARIABLE)
    with injection.undo as undo:
        set_global(target.administrator, undo, _VARIABLE, _SMALLEST_BYTES)
        wait_until(lambda: int(variable(target.administrator, _VARIABLE)) <= 2 * _SMALLEST_BYTES, "innodb.buffer_pool")

        def look_all_over(cursor: Cursor, chance: Random) -> None:
            first = chance.randint(1, HISTORY_ROWS // 2)
            rows = range(first, first + HISTORY_ROWS // 2, HISTORY_ROWS // (2 * _ROWS_APART))
            marks = ", ".join(["%s"] * len(rows))
            cursor.execute(f"SELECT id, {history.column} FROM {history.table} WHERE id IN ({marks})", tuple(rows))  # noqa: S608 - constants

        before = status(target.administrator, "Innodb_buffer_pool_reads")
        programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (look_all_over,))]
        return work_until(
            target,
            programs,
            injection,
            "innodb.buffer_pool",
            lambda _: status(target.administrator, "Innodb_buffer_pool_reads") >= before + _ENOUGH_READS,
        )
