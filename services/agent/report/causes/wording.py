"""How figures and owners read in a sentence."""

from __future__ import annotations

from services.agent.report.causes.cause import Facts

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def seconds(value: float) -> str:
    """A span of time: `83 ms`, `1.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 2 h`."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def count(value: float, singular: str, plural: str = "") -> str:
    """`1 session`, `1,200 sessions`."""
    number = round(value)
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def owner(facts: Facts, role: str) -> str:
    """`user orders_app, host 10.0.0.7, program checkout`, as far as known; empty where nothing is."""
    parts = [
        f"{type_} {', '.join(values)}"
        for type_ in ("user", "host", "program")
        if (values := facts.cause.values(role, type_))
    ]
    return ", ".join(parts)
