"""A control: consumers insert each message's key to see whether somebody had it before, and mostly are refused."""

from __future__ import annotations

import contextlib
from random import Random

import pymysql
from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import create_table

_TABLE, _COLUMNS = "seen_messages", "(message_key INT PRIMARY KEY, seen_by VARCHAR(40) NOT NULL)"
_MESSAGES, _CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 200, 4, 25.0, 250


def inject(target: Target) -> Injection:
    """Start the consumers, and wait until most messages have been seen."""
    insert = f"INSERT INTO {_TABLE} VALUES (%s, 'consumer')"  # noqa: S608 - a constant

    def take_message(cursor: Cursor, chance: Random) -> None:
        with contextlib.suppress(pymysql.err.IntegrityError):
            cursor.execute(insert, (chance.randrange(_MESSAGES),))

    injection = Injection()
    with injection.undo as undo:
        create_table(target, undo, _TABLE, _COLUMNS)
        programs = [ClientProgram("message-consumer", _CONNECTIONS, _PER_SECOND, (take_message,))]
        return set_to_work(target, programs, injection, "healthy.refused_duplicates", enough=_ENOUGH_RUN)
