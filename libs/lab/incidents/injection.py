"""What every incident gets and gives back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from libs.lab.accounts import Login
from libs.lab.errors import IncidentError
from libs.lab.schema import Service

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """Where an incident happens: a service's database, its account, and an account that may look at the server."""

    application: Login
    administrator: Login
    service: Service
    database: str


@dataclass(slots=True)
class Injection:
    """An incident under way, and what its injector says that it did."""

    user: str = ""
    program: str = ""
    connection_id: int = 0
    table: str = ""
    column: str = ""
    undo: ExitStack = field(default_factory=ExitStack, repr=False)

    def stop(self) -> None:
        """End the incident; what it held is free again when this returns."""
        self.undo.close()


def wait_until(came_about: Callable[[], bool], incident_id: str, *, seconds: float = 15.0) -> None:
    """Wait until the incident can be seen. Raises IncidentError when it does not come about."""
    until = time.monotonic() + seconds
    while not came_about():
        if time.monotonic() > until:
            raise IncidentError(f"{incident_id} did not come about within {seconds:g} s: is the server overloaded?")
        time.sleep(_POLL_SECONDS)
