"""What the server as a whole shows: tables, variables, logins, replication; and how observers ask it."""

from __future__ import annotations

from typing import Any

import pymysql

from libs.core.catalogue import AFFECTED, CAUSE
from libs.lab.accounts import Connection
from libs.lab.errors import IncidentError
from libs.lab.injection import Injection, Target
from libs.lab.replication import replica_status
from libs.lab.truth import Entity


def rows(observer: Connection, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows of one statement. Raises pymysql errors."""
    with observer.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def rows_or_none(observer: Connection, statement: str, *parameters: object) -> list[tuple[Any, ...]] | None:
    """The rows of a statement over the performance schema; None where that is off or out of reach."""
    try:
        if rows(observer, "SELECT @@performance_schema") != [(1,)]:
            return None
        return rows(observer, statement, *parameters)
    except pymysql.Error:
        return None


def table(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The table, which is there."""
    found = rows(
        observer,
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
        target.database,
        injection.table,
    )
    if not found:
        raise IncidentError(f"The table {injection.table} is gone: did somebody drop it?")
    return ((AFFECTED, "table", f"{found[0][0]}.{found[0][1]}"),)


def changed_variable(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The variable, which the server says was set by a statement since its start."""
    if target.administrator.is_mariadb():
        origin = "SELECT global_value_origin FROM information_schema.system_variables WHERE variable_name = %s"
        found = rows(observer, origin, injection.variable) == [("SQL",)]
    else:
        source = "SELECT variable_source FROM performance_schema.variables_info WHERE variable_name = %s"
        found = rows_or_none(observer, source, injection.variable) in (None, [("DYNAMIC",)])
    if not found:
        raise IncidentError(f"{injection.variable} was not changed at runtime.")
    return ((CAUSE, "variable", injection.variable),)


def refused_logins(_observer: Connection, injection: Injection, _target: Target) -> tuple[Entity, ...]:
    """Account and host, in the words of the server's refusal."""
    user, host = injection.refused
    return ((CAUSE, "user", user), (CAUSE, "host", host))


def channel(_observer: Connection, _injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The replication channel, and the error if one stopped it."""
    status = replica_status(target.administrator)
    error = ((CAUSE, "error_code", str(status.error_code)),) if status.error_code else ()
    return ((AFFECTED, "channel", status.channel), *error)


def channel_and_table(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The replication channel, and the table without a primary key that its applier is busy with."""
    return (*channel(observer, injection, target), *table(observer, injection, target))
