"""The control: nothing is injected, and nothing may be found."""

from __future__ import annotations

from libs.lab.injection import Injection, Target


def inject(_target: Target) -> Injection:
    """Do nothing."""
    return Injection()
