"""Sessions that incidents leave open, and the clients that an incident sets to work."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from random import Random

import pymysql
from pymysql.cursors import Cursor

from libs.lab.accounts import Connection
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HOT_ROWS, ClientProgram
from libs.lab.workload import Workload

_VICTIMS = 6


def hot_row_clients(target: Target) -> Workload:
    """More clients of the service's busiest program, which change the hot rows by key; they are not started."""
    hot = target.service.hot

    def change_hot_row(cursor: Cursor, chance: Random) -> None:
        cursor.execute(hot.update, (chance.randint(1, HOT_ROWS),))

    busiest = target.service.programs[0].name
    program = ClientProgram(busiest, _VICTIMS, 4.0 * _VICTIMS, (change_hot_row,))
    return Workload(target.application, target.database, [program])


def release(holder: Connection) -> None:
    """Give a session's locks back; somebody may have killed it, as the report proposes."""
    with contextlib.suppress(pymysql.Error):
        holder.rollback()
        holder.close()


def set_to_work(
    target: Target, programs: list[ClientProgram], injection: Injection, incident_id: str, *, enough: int
) -> Injection:
    """Start clients of the application and wait until they have done `enough` operations."""

    def has_run(workload: Workload) -> bool:
        return workload.operations >= enough

    return work_until(target, programs, injection, incident_id, has_run)


def work_until(
    target: Target,
    programs: list[ClientProgram],
    injection: Injection,
    incident_id: str,
    came_about: Callable[[Workload], bool],
) -> Injection:
    """Start clients of the application and wait until the incident can be seen; what ends them is put on its undo."""
    workload = Workload(target.application, target.database, programs)
    with injection.undo as undo:
        undo.callback(workload.stop)
        workload.start()
        wait_until(lambda: came_about(workload), incident_id)
        injection.undo = undo.pop_all()
    return injection
