"""A report reads a table and forgets its transaction; a schema change waits for it, and everybody for the change."""

from __future__ import annotations

from libs.lab.accounts import connection_id
from libs.lab.clients import hot_row_clients, release
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.server import StatementUnderWay, sessions_in_state

WAITING = "Waiting for table metadata lock"

_PROGRAM, _CHANGE = "stock-report", "schema-migration"
_ENOUGH_WAITING = 4


def inject(target: Target) -> Injection:
    """Read the hot table in a transaction, start to rebuild it, then wait until clients queue behind that."""
    hot = target.service.hot

    victims = hot_row_clients(target)
    holder = target.application.connect(program=_PROGRAM, database=target.database, autocommit=False)
    injection = Injection(user=target.application.user, program=_PROGRAM, table=hot.table)
    with injection.undo as undo:
        undo.callback(victims.stop)
        undo.callback(release, holder)
        injection.connection_id = connection_id(holder)
        with holder.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM `{hot.table}`")  # noqa: S608 - a constant
        rebuild = f"ALTER TABLE `{hot.table}` FORCE"  # changes nothing, should somebody kill the holder
        change = StatementUnderWay(target.administrator, rebuild, program=_CHANGE, database=target.database)
        undo.callback(change.stop)
        change.start()
        wait_until(lambda: sessions_in_state(target.administrator, WAITING) > 0, "lock.metadata")
        victims.start()
        wait_until(lambda: sessions_in_state(target.administrator, WAITING) > _ENOUGH_WAITING, "lock.metadata")
        injection.undo = undo.pop_all()
    return injection
