"""The programs that are connected, with their accounts, drivers and versions; and which of them came and went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from services.shard.facts.sessions import programs_of
from services.shard.mysql.source import ResultSets
from services.shard.mysql.statements import Statement
from services.shard.sampler.differences import CLIENT_GONE, CLIENT_NEW
from services.shard.stores.records import Change, Content
from services.shard.view import text, whole

AWAY_SECONDS = 600.0
"""A client that has not been seen for so long is gone."""
MOST_CLIENTS = 2_000
"""Clients that are remembered of one instance."""
_NOT_CLIENTS = frozenset({"", "system user", "event_scheduler", "unauthenticated user"})
_OWN_PROGRAM = "storex"


@dataclass(frozen=True, slots=True)
class Client:
    """Who connects with what; two connections of one program are one client."""

    user: str
    program: str
    driver: str
    version: str
    """The program's own version, where it tells it in the connection attribute `program_version`."""

    @property
    def content(self) -> Content:
        """The client as a change tells it."""
        return {"user": self.user, "program": self.program, "driver": self.driver, "version": self.version}


def clients_of(results: ResultSets) -> set[Client]:
    """The clients in the process list; needs PROCESSES, and PROGRAMS and CLIENT_VERSIONS for more than accounts."""
    programs = programs_of(results)
    attributes: dict[int, dict[str, str]] = {}
    for row in results.rows(Statement.CLIENT_VERSIONS):
        told = attributes.setdefault(whole(row["connection_id"]), {})
        told[text(row["attribute"])] = text(row["value"])
    found = set()
    for row in results.rows(Statement.PROCESSES):
        number, user = whole(row["connection_id"]), text(row["user"])
        told = attributes.get(number, {})
        driver = f"{told.get('_client_name', '')} {told.get('_client_version', '')}".strip()
        client = Client(user, programs.get(number, ""), driver, told.get("program_version", ""))
        if user not in _NOT_CLIENTS and client.program != _OWN_PROGRAM:
            found.add(client)
    return found


class KnownClients:
    """The clients of one instance, and when each was last seen."""

    def __init__(self, seen: Mapping[Client, float] | None = None) -> None:
        self._learning = seen is None
        self.last_seen: dict[Client, float] = dict(seen or {})

    def see(self, clients: Iterable[Client], at: float) -> Iterator[Change]:
        """Note who is there, and tell who is new and who is gone; the very first look only learns."""
        present = set(clients)
        for client in sorted(present - self.last_seen.keys(), key=lambda one: tuple(one.content.values())):
            if not self._learning and len(self.last_seen) < MOST_CLIENTS:
                yield Change(at, CLIENT_NEW, client.content)
        for client in present:
            if client in self.last_seen or len(self.last_seen) < MOST_CLIENTS:
                self.last_seen[client] = at
        for client, last in list(self.last_seen.items()):
            if at - last > AWAY_SECONDS:
                del self.last_seen[client]
                yield Change(at, CLIENT_GONE, client.content, since=last)
        self._learning = False
