"""A control: the clients have nothing to do, and their connections stand idle."""

from __future__ import annotations

from libs.lab.injection import Injection, Target


def inject(target: Target) -> Injection:
    """Let the service's clients rest."""
    injection = Injection()
    if target.workload is not None:
        target.workload.pause()
        injection.undo.callback(target.workload.resume)
    return injection
