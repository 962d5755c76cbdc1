"""The server was told to hang up on idle clients within seconds: those that seldom call keep losing their line."""

from __future__ import annotations

from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram
from libs.lab.server import set_global, status

_VARIABLE, _SECONDS = "wait_timeout", 2
_PROGRAM, _CONNECTIONS, _PER_SECOND = "reminder-mailer", 6, 1.2
_ENOUGH_CUT_OFF = 3


def inject(target: Target) -> Injection:
    """Lower the variable, start clients that call every few seconds, and wait until some were cut off."""
    injection = Injection(user=target.application.user, program=_PROGRAM, variable=_VARIABLE)
    with injection.undo as undo:
        set_global(target.administrator, undo, _VARIABLE, _SECONDS)
        before = status(target.administrator, "Aborted_clients")
        operations = target.service.programs[1].operations
        return work_until(
            target,
            [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, operations)],
            injection,
            "config.change",
            lambda _: status(target.administrator, "Aborted_clients") >= before + _ENOUGH_CUT_OFF,
        )
