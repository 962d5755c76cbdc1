"""A release loads a list with one statement, and then each of its entries with one more."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram

_PROGRAM = "timeline-page"
_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 3, 6.0, 6
_ENTRIES = 60


def inject(target: Target) -> Injection:
    """Start the pages, and wait until some have been loaded."""
    history = target.service.history
    list_entries = f"SELECT id FROM {history.table} WHERE id > %s ORDER BY id LIMIT {_ENTRIES}"  # noqa: S608 - constants
    load_entry = f"SELECT id, {history.column}, created_at FROM {history.table} WHERE id = %s"  # noqa: S608 - constants

    def load_page(cursor: Cursor, chance: Random) -> None:
        cursor.execute(list_entries, (chance.randrange(HISTORY_ROWS - _ENTRIES),))
        for (entry,) in cursor.fetchall():
            cursor.execute(load_entry, (entry,))

    injection = Injection(user=target.application.user, program=_PROGRAM, table=history.table, statement=load_entry)
    programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (load_page,))]
    return set_to_work(target, programs, injection, "traffic.n_plus_one", enough=_ENOUGH_RUN)
