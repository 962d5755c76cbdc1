"""A program that has always been there suddenly calls many times as often; each call is as cheap as ever."""

from __future__ import annotations

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target
from libs.lab.schema import ClientProgram

_CONNECTIONS, _PER_SECOND, _ENOUGH_RUN = 12, 300.0, 150


def inject(target: Target) -> Injection:
    """Start many more clients of the service's reading program, and wait until they have done some of their work."""
    program = target.service.programs[1]
    injection = Injection(user=target.application.user, program=program.name)
    programs = [ClientProgram(program.name, _CONNECTIONS, _PER_SECOND, program.operations)]
    return set_to_work(target, programs, injection, "traffic.spike", enough=_ENOUGH_RUN)
