"""A consumer reads a column that is not there any more, and tries each message again and again without a pause."""

from __future__ import annotations

import contextlib
from random import Random

import pymysql
from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram

_PROGRAM, _DROPPED = "receipt-consumer", "delivery_slot"
_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 3, 6.0, 6
_TRIES = 25
"""A message is tried so often before it goes back to the end of the queue."""


def inject(target: Target) -> Injection:
    """Start the consumers, and wait until some messages have gone back."""
    table = target.service.history.table
    read = f"SELECT id, {_DROPPED} FROM {table} WHERE id = %s"  # noqa: S608 - constants

    def handle_message(cursor: Cursor, chance: Random) -> None:
        message = chance.randrange(1, HISTORY_ROWS)
        for _ in range(_TRIES):
            with contextlib.suppress(pymysql.MySQLError):
                cursor.execute(read, (message,))
                return

    injection = Injection(user=target.application.user, program=_PROGRAM, table=table, statement=read)
    programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (handle_message,))]
    return set_to_work(target, programs, injection, "traffic.retry_storm", enough=_ENOUGH_RUN)
