"""What every incident gets and gives back."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from libs.lab.accounts import Login
from libs.lab.errors import IncidentError
from libs.lab.schema import Service
from libs.lab.workload import Workload

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """Where an incident happens: a service's database, its account, and an account that may look at the server."""

    application: Login
    administrator: Login
    service: Service
    database: str
    workload: Workload | None = None
    """The service's ordinary clients, where the lab runs them."""
    source: Login | None = None
    """The administrator's login on the primary, where the target is its replica."""
    restart: Callable[[], None] | None = None
    """Restarts the server and returns when it answers again, where the lab may do that."""


@dataclass(slots=True)
class Injection:
    """An incident under way, and what its injector says that it did."""

    user: str = ""
    program: str = ""
    connection_id: int = 0
    table: str = ""
    column: str = ""
    index: str = ""
    statement: str = ""
    """The statement that does it, as the client sends it, with `%s` for what varies."""
    variable: str = ""
    refused: tuple[str, str] = ("", "")
    """The user and the host that the server says it refused."""
    parts: dict[str, Injection] = field(default_factory=dict)
    """Of several incidents at once: each by its id."""
    undo: ExitStack = field(default_factory=ExitStack, repr=False)

    def stop(self) -> None:
        """End the incident; what it held is free again when this returns."""
        self.undo.close()


def wait_until(came_about: Callable[[], bool], incident_id: str, *, seconds: float = 30.0) -> None:
    """Wait until the incident can be seen. Raises IncidentError when it does not come about."""
    until = time.monotonic() + seconds
    while not came_about():
        if time.monotonic() > until:
            raise IncidentError(f"{incident_id} did not come about within {seconds:g} s: is the server overloaded?")
        time.sleep(_POLL_SECONDS)
