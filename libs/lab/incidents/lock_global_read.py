"""A backup script takes the global read lock and does not give it back: every write waits."""

from __future__ import annotations

from libs.lab.accounts import connection_id
from libs.lab.clients import hot_row_clients, release
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.server import sessions_in_state

WAITING = {"MySQL": "Waiting for global read lock", "MariaDB": "Waiting for backup lock"}
"""The state in which each kind of server shows the writers that wait."""

_PROGRAM = "backup-script"
_ENOUGH_WAITING = 4


def inject(target: Target) -> Injection:
    """Take the lock with the administrator's account, then wait until writers wait."""
    state = WAITING["MariaDB" if target.administrator.is_mariadb() else "MySQL"]
    victims = hot_row_clients(target)
    holder = target.administrator.connect(program=_PROGRAM)
    injection = Injection(user=target.administrator.user, program=_PROGRAM, connection_id=connection_id(holder))
    with injection.undo as undo:
        undo.callback(victims.stop)
        undo.callback(release, holder)
        with holder.cursor() as cursor:
            cursor.execute("FLUSH TABLES WITH READ LOCK")
        victims.start()
        wait_until(lambda: sessions_in_state(target.administrator, state) >= _ENOUGH_WAITING, "lock.global_read")
        injection.undo = undo.pop_all()
    return injection
