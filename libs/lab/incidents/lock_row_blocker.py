"""A batch job locks the rows that everybody changes, and sits idle in its transaction while clients queue."""

from __future__ import annotations

from libs.lab.accounts import Connection, connection_id, global_status
from libs.lab.clients import hot_row_clients, release
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HOT_ROWS

_PROGRAM = "reconciliation-job"
_ENOUGH_WAITING = 4


def inject(target: Target) -> Injection:
    """Lock the hot rows, then wait until clients wait for them."""
    hot = target.service.hot

    victims = hot_row_clients(target)
    holder = target.application.connect(program=_PROGRAM, database=target.database, autocommit=False)
    injection = Injection(user=target.application.user, program=_PROGRAM, table=hot.table)
    with injection.undo as undo:
        undo.callback(victims.stop)
        undo.callback(release, holder)
        injection.connection_id = connection_id(holder)
        with holder.cursor() as cursor:
            for row in range(1, HOT_ROWS + 1):
                cursor.execute(hot.update, (row,))
        victims.start()
        with target.administrator.connect(program="lab") as observer:
            wait_until(lambda: _waiting(observer) >= _ENOUGH_WAITING, "lock.row_blocker")
        injection.undo = undo.pop_all()
    return injection


def _waiting(observer: Connection) -> int:
    """How many sessions wait for a row lock; innodb_trx will not do, it is not refreshed while one reads it often."""
    return int(global_status(observer, "Innodb_row_lock_current_waits"))
