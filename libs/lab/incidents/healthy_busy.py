"""A control: twice as much to do as else, by the same programs in the same mixture, and the server keeps up."""

from __future__ import annotations

from libs.lab.clients import set_to_work
from libs.lab.injection import Injection, Target

_ENOUGH_RUN = 20


def inject(target: Target) -> Injection:
    """Start each of the service's programs once more."""
    return set_to_work(target, list(target.service.programs), Injection(), "healthy.busy", enough=_ENOUGH_RUN)
