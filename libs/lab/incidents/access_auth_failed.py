"""A program still uses a password that was changed: all its logins are refused."""

from __future__ import annotations

import re
import threading

import pymysql

from libs.lab.injection import Injection, Target, wait_until

_PROGRAM = "legacy-importer"
_PAUSE_SECONDS, _ENOUGH = 0.2, 5
_ACCESS_DENIED = 1045
_WHO = re.compile(r"for user '([^']*)'@'([^']*)'")


def inject(target: Target) -> Injection:
    """Start to log in with a wrong password, and wait until the server has refused it some times."""
    attempts = _Attempts(target)
    injection = Injection(program=_PROGRAM)
    with injection.undo as undo:
        undo.callback(attempts.stop)
        attempts.start()
        wait_until(lambda: attempts.refused >= _ENOUGH, "access.auth_failed")
        injection.refused = attempts.who
        injection.undo = undo.pop_all()
    return injection


class _Attempts(threading.Thread):
    def __init__(self, target: Target) -> None:
        super().__init__(name=_PROGRAM, daemon=True)
        self._target = target
        self._stopping = threading.Event()
        self.refused = 0
        self.who = ("", "")

    def run(self) -> None:
        login = self._target.application
        wrong = type(login)(login.host, login.port, login.user, f"not {login.password}")
        while not self._stopping.wait(_PAUSE_SECONDS):
            try:
                wrong.connect(program=_PROGRAM).close()
            except pymysql.err.OperationalError as problem:
                if problem.args[0] == _ACCESS_DENIED and (who := _WHO.search(str(problem.args[1]))):
                    self.who = (who[1], who[2])
                    self.refused += 1

    def stop(self) -> None:
        self._stopping.set()
        self.join()
