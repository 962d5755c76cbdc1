"""A migration rebuilds a table that everybody writes to by copying it, and all writes wait until it is done."""

from __future__ import annotations

from libs.lab.clients import hot_row_clients
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.rebuilds import start_copying
from libs.lab.server import sessions_in_state

_PROGRAM = "nightly-migration"
_WAITING, _ENOUGH_WAITING = "Waiting for table metadata lock", 4


def inject(target: Target) -> Injection:
    """Start to copy the hot table, and wait until clients queue for it."""
    hot = target.service.hot
    victims = hot_row_clients(target)
    injection = Injection(user=target.administrator.user, program=_PROGRAM, table=hot.table)
    with injection.undo as undo:
        change = start_copying(target, undo, hot.table, _PROGRAM)
        undo.callback(victims.stop)
        injection.connection_id = change.connection_id
        victims.start()
        wait_until(lambda: sessions_in_state(target.administrator, _WAITING) >= _ENOUGH_WAITING, "maintenance.ddl")
        injection.undo = undo.pop_all()
    return injection
