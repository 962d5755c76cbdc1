"""What a report about an incident has to say, found out at the server and not taken from the injector's intent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pymysql

from libs.core.catalogue import AFFECTED, CATALOGUE, CAUSE, HOLDER
from libs.lab.accounts import Connection
from libs.lab.errors import IncidentError
from libs.lab.incidents.injection import Injection, Target

HEALTHY = "healthy"

Entity = tuple[str, str, str]
"""Role, type and value, in the words of the root-cause catalogue."""


@dataclass(frozen=True, slots=True)
class Truth:
    """The root cause that is really there (`healthy` for none), and the things that play a part in it."""

    kind: str
    entities: tuple[Entity, ...] = ()

    @property
    def decisive(self) -> tuple[Entity, ...]:
        """The entities that a right report names: what the catalogue requires, or all if none of that is known."""
        if self.kind == HEALTHY:
            return ()
        required = {(entity.role, entity.type) for entity in CATALOGUE[self.kind].entities if entity.required}
        return tuple(entity for entity in self.entities if entity[:2] in required) or self.entities

    def unmet(self, root_causes: Iterable[tuple[str, Iterable[Entity]]]) -> list[str]:
        """What is wrong or missing in a report's root causes (kind, entities), in sentences; empty when it is right."""
        reported = [(kind, set(entities)) for kind, entities in root_causes]
        if self.kind == HEALTHY:
            return [f"{kind} was reported, but nothing is wrong." for kind, _ in reported]
        named = [entities for kind, entities in reported if kind == self.kind]
        if not named:
            return [f"{self.kind} was not reported."]
        problems = [
            f"{role} {type_} is {value}, which was not reported."
            for role, type_, value in self.decisive
            if not any((role, type_, value) in entities for entities in named)
        ]
        return problems + [
            f"{kind} was reported, but only {self.kind} is there." for kind, _ in reported if kind != self.kind
        ]


def truth_of(incident_id: str, injection: Injection, target: Target) -> Truth:
    """Find out what is true of an incident under way. Raises IncidentError when the server does not show it."""
    with target.administrator.connect(program="lab") as observer:
        if incident_id == "lock.row_blocker":
            return Truth(incident_id, _holder(observer, injection))
        if incident_id == "query.missing_index":
            return Truth(incident_id, _statement(observer, injection, target.database))
        if incident_id == "connections.leak":
            return Truth(incident_id, ((HOLDER, "user", injection.user), (HOLDER, "program", injection.program)))
    return Truth(HEALTHY)


def _holder(observer: Connection, injection: Injection) -> tuple[Entity, ...]:
    """The open transaction of the connection that the injector named, with the account that the server knows it by."""
    with observer.cursor() as cursor:
        cursor.execute(
            "SELECT p.user FROM information_schema.innodb_trx AS t"
            " JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id"
            " WHERE p.id = %s AND p.command = 'Sleep'",
            (injection.connection_id,),
        )
        row = cursor.fetchone()
    if row is None:
        raise IncidentError("The holder's transaction is gone: did somebody end its connection?")
    return (
        (HOLDER, "connection_id", str(injection.connection_id)),
        (HOLDER, "user", str(row[0])),
        (HOLDER, "program", injection.program),
    )


def _statement(observer: Connection, injection: Injection, database: str) -> tuple[Entity, ...]:
    """The digest that the server gives the search, where its performance schema is on, and the table."""
    table = ((AFFECTED, "table", f"{database}.{injection.table}"),)
    text = f"%`{injection.table}` WHERE `{injection.column}` = ?%"
    with observer.cursor() as cursor:
        try:
            cursor.execute(
                "SELECT digest FROM performance_schema.events_statements_summary_by_digest"
                " WHERE schema_name = %s AND digest_text LIKE %s ORDER BY last_seen DESC LIMIT 1",
                (database, text),
            )
        except pymysql.Error:
            return table
        row = cursor.fetchone()
    return table if row is None else ((CAUSE, "statement_digest", str(row[0])), *table)
