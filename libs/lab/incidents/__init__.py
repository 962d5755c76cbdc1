"""Incidents that the lab can cause, each in a file of its own.

An incident's `inject` brings it about on a target and reports what it did; whether a report about it is right is
judged elsewhere (`libs.lab.truth`), from what the server itself shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from libs.lab.errors import IncidentError
from libs.lab.incidents import connections_leak, healthy, lock_row_blocker, query_missing_index
from libs.lab.incidents.injection import Injection, Target


@dataclass(frozen=True, slots=True)
class Incident:
    """What can be injected: its root-cause catalogue id (or `healthy`), what happens, and how to make it happen."""

    id: str
    title: str
    inject: Callable[[Target], Injection]


INCIDENTS: dict[str, Incident] = {
    incident.id: incident
    for incident in (
        Incident(
            "lock.row_blocker",
            "A batch job changes rows that everybody needs and then sits idle in its transaction",
            lock_row_blocker.inject,
        ),
        Incident(
            "query.missing_index",
            "A new search looks rows of the largest table up by a column that has no index",
            query_missing_index.inject,
        ),
        Incident(
            "connections.leak",
            "An exporter opens one connection after another and never gives one back",
            connections_leak.inject,
        ),
        Incident("healthy", "Nothing happens: the control", healthy.inject),
    )
}
"""Every incident by its id."""


def incident(incident_id: str) -> Incident:
    """The incident with this id. Raises IncidentError that lists the known ones."""
    try:
        return INCIDENTS[incident_id]
    except KeyError:
        raise IncidentError(f"There is no incident {incident_id!r}. Choose one of: {', '.join(INCIDENTS)}.") from None
