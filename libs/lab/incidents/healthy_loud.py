"""A control that looks alarming: reads without an index of a table that has few rows, a queue for an advisory lock,
statements that only sleep, and a variable that matters to nobody."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import create_table, sessions_in_state, set_global
from libs.lab.workload import Workload

_TABLE = "feature_flags"
_COLUMNS = "(id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, is_on TINYINT NOT NULL)"
_FLAGS = 12
_LEADER_SECONDS, _POLL_SECONDS = 3, 2


def inject(target: Target) -> Injection:
    """Start all of it, and wait until it can be seen."""
    election = f"{target.database}.leader"

    def read_flags(cursor: Cursor, _chance: Random) -> None:
        cursor.execute(f"SELECT name FROM {_TABLE} WHERE is_on = 1")  # noqa: S608 - a constant

    def stand_for_leader(cursor: Cursor, _chance: Random) -> None:
        cursor.execute("SELECT GET_LOCK(%s, 60)", (election,))
        cursor.execute("DO SLEEP(%s)", (_LEADER_SECONDS,))
        cursor.execute("SELECT RELEASE_LOCK(%s)", (election,))

    def poll(cursor: Cursor, _chance: Random) -> None:
        cursor.execute("DO SLEEP(%s)", (_POLL_SECONDS,))

    programs = [
        ClientProgram("flag-reader", 4, 40.0, (read_flags,)),
        ClientProgram("scheduler", 4, 8.0, (stand_for_leader,)),
        ClientProgram("event-poller", 3, 30.0, (poll,)),
    ]

    def is_loud(clients: Workload) -> bool:
        return clients.operations > _FLAGS and sessions_in_state(target.administrator, "User%lock") > 0

    injection = Injection()
    with injection.undo as undo:
        create_table(target, undo, _TABLE, _COLUMNS)
        flags = ", ".join(f"({number}, 'flag{number}', {number % 2})" for number in range(_FLAGS))
        target.administrator.execute(f"INSERT INTO `{target.database}`.{_TABLE} VALUES {flags}")  # noqa: S608 - constants
        set_global(target.administrator, undo, "long_query_time", 5)
        return work_until(target, programs, injection, "healthy.loud", is_loud)
