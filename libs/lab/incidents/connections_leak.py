"""A client opens a connection for each thing it does and never closes one, until few are left for the others."""

from __future__ import annotations

import contextlib
import threading

import pymysql

from libs.lab.accounts import Connection, global_status
from libs.lab.injection import Injection, Target, wait_until

_PROGRAM = "invoice-exporter"
_SHARE_TAKEN, _MOST = 0.85, 400
"""It stops at this share of the limit, so that an operator still gets in, or at this many connections."""
_FIRST = 40
_FIRST_PAUSE, _LATER_PAUSE = 0.01, 0.1


def inject(target: Target) -> Injection:
    """Start leaking, and wait until the first connections stand idle."""
    leak = _Leak(target)
    injection = Injection(user=target.application.user, program=_PROGRAM)
    with injection.undo as undo:
        undo.callback(leak.stop)
        leak.start()
        wait_until(lambda: leak.opened >= _FIRST or leak.has_ended, "connections.leak")
        injection.undo = undo.pop_all()
    return injection


class _Leak(threading.Thread):
    def __init__(self, target: Target) -> None:
        super().__init__(name=_PROGRAM, daemon=True)
        self._target = target
        self._stopping = threading.Event()
        self._connections: list[Connection] = []

    @property
    def opened(self) -> int:
        return len(self._connections)

    @property
    def has_ended(self) -> bool:
        return self.ident is not None and not self.is_alive()

    def run(self) -> None:
        with contextlib.suppress(pymysql.Error):  # the limit is reached sooner than thought, or the server is gone
            room = self._room()
            while self.opened < room and not self._stopping.wait(
                _FIRST_PAUSE if self.opened < _FIRST else _LATER_PAUSE
            ):
                connection = self._target.application.connect(program=_PROGRAM, database=self._target.database)
                self._connections.append(connection)
                with connection.cursor() as cursor:
                    cursor.execute(f"SELECT id FROM `{self._target.service.hot.table}` WHERE id = 1")  # noqa: S608 - a constant

    def stop(self) -> None:
        self._stopping.set()
        self.join()
        for connection in self._connections:
            with contextlib.suppress(pymysql.Error):
                connection.close()

    def _room(self) -> int:
        """How many connections may be taken, given the limit and those that are open already."""
        with self._target.administrator.connect(program="lab") as observer:
            connected = int(global_status(observer, "Threads_connected"))
            with observer.cursor() as cursor:
                cursor.execute("SELECT @@max_connections")
                (limit,) = cursor.fetchone() or (0,)
        return min(_MOST, int(limit * _SHARE_TAKEN) - connected)
