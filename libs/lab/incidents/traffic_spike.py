"""A program that has always been there suddenly calls many times as often; each call is as cheap as ever."""

from __future__ import annotations

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import ClientProgram

_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 12, 300.0, 150
_USUAL_SECONDS = 10.0
"""For so long the program has been at work before: what nobody has seen do less does not do more."""


def inject(target: Target) -> Injection:
    """Start many more clients of the service's reading program, and wait until they have done some of their work."""
    usual = target.workload
    if usual is not None:
        wait_until(lambda: usual.seconds_at_work >= _USUAL_SECONDS, "traffic.spike")
    program = target.service.programs[1]
    injection = Injection(user=target.application.user, program=program.name)
    programs = [ClientProgram(program.name, _CONNECTIONS, _PER_SECOND, program.operations)]
    return set_to_work(target, programs, injection, "traffic.spike", enough=_ENOUGH_RUN)
