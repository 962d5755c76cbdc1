"""Read views that are kept open in other ways than by an idle transaction."""

from __future__ import annotations

import time
from random import Random

from pymysql.cursors import Cursor

from libs.lab.incidents.innodb_purge_lag import history_length
from libs.lab.injection import wait_until
from libs.lab.truth import Truth
from tests.integration.shard.matrix.foreign.clinic import Clinic, Fault

_FEW, _MANY = 2_000, 22_000
"""Undo logs that matter where nothing is done for the view that keeps them, and where somebody works for it."""
_LONG_ENOUGH = 65.0
"""A statement that runs for so long, in seconds, is no ordinary one."""


def _book(clinic: Clinic, enough: int, seconds: float) -> None:
    """Small transactions, until the history has so many of them."""

    def pay(cursor: Cursor, chance: Random) -> None:
        for _ in range(40):
            cursor.execute("UPDATE ledger SET balance = balance + 1 WHERE account = %s", (chance.randint(1, 300),))
            cursor.connection.commit()

    clinic.set_to_work("billing", 3, 60.0, pay)
    wait_until(lambda: history_length(clinic.administrator) >= enough, "the history", seconds=seconds)


def _behind(clinic: Clinic, program: str, statement: str, enough: int) -> Truth:
    running, began = clinic.under_way(program, statement), time.monotonic()
    _book(clinic, enough, 110.0)
    if enough > _FEW:
        time.sleep(max(0.0, began + _LONG_ENOUGH - time.monotonic()))
    return clinic.held_by("innodb.purge_lag", running.connection_id, program)


def a_statement_that_sleeps(clinic: Clinic) -> Truth:
    """A statement has a read view, and lets time go by."""
    return _behind(clinic, "cron-job", "SELECT label, SLEEP(300) FROM beds LIMIT 1", _FEW)


def a_statement_that_works(clinic: Clinic) -> Truth:
    """A report that joins everything with everything, for minutes, while others write."""
    statement = "SELECT COUNT(*) FROM visits a JOIN visits b ON a.reason <> b.reason JOIN ledger c"
    return _behind(clinic, "yearly-report", statement, _MANY)


FAULTS = {
    "purge_lag.sleeps": Fault("A statement with SLEEP() keeps its read view", a_statement_that_sleeps),
    "purge_lag.works": Fault("A report that runs for minutes keeps its read view", a_statement_that_works),
}
