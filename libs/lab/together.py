"""Several incidents at once: two faults, or a fault beside something that only looks like one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from libs.lab.injection import Injection, Target


def together(injectors: Mapping[str, Callable[[Target], Injection]]) -> Callable[[Target], Injection]:
    """An `inject` that brings each of these about in turn, by their ids."""

    def inject(target: Target) -> Injection:
        injection = Injection()
        with injection.undo as undo:
            for incident_id, one in injectors.items():
                part = one(target)
                undo.callback(part.stop)
                injection.parts[incident_id] = part
            injection.undo = undo.pop_all()
        return injection

    return inject
