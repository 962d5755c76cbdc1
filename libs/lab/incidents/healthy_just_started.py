"""A control: the server was restarted in order, its counters begin at zero, and its clients have come back."""

from __future__ import annotations

from libs.lab.injection import Injection, Target
from libs.lab.server import restart


def inject(target: Target) -> Injection:
    """Restart the server, and wait until its clients are at work again."""
    restart(target)
    return Injection()
