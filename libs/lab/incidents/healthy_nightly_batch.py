"""A control: the nightly batch goes through the largest table in small steps by its key, and is in nobody's way."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram

_PROGRAM, _PER_SECOND, _ENOUGH_RUN = "nightly-compaction", 8.0, 5
_STEP = 200


def inject(target: Target) -> Injection:
    """Start the batch, and wait until it has done some steps."""
    table = target.service.history.table
    change = f"UPDATE {table} SET created_at = created_at + INTERVAL 1 SECOND WHERE id BETWEEN %s AND %s"  # noqa: S608 - a constant
    check = f"SELECT COUNT(*), MAX(created_at) FROM {table} WHERE id BETWEEN %s AND %s"  # noqa: S608 - a constant

    def take_a_step(cursor: Cursor, chance: Random) -> None:
        first = chance.randrange(1, HISTORY_ROWS, _STEP)
        cursor.execute(change, (first, first + _STEP - 1))
        cursor.execute(check, (first, first + _STEP - 1))

    programs = [ClientProgram(_PROGRAM, 1, _PER_SECOND, (take_a_step,))]
    return set_to_work(target, programs, Injection(), "healthy.nightly_batch", enough=_ENOUGH_RUN)
