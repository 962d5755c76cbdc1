"""Which statement does it, by the digest that the server itself gives it, and who sends it."""

from __future__ import annotations

import re
import time

import pymysql

from libs.core.catalogue import AFFECTED, CAUSE
from libs.lab.accounts import Connection
from libs.lab.errors import IncidentError
from libs.lab.injection import Injection, Target
from libs.lab.observers.server import rows_or_none
from libs.lab.truth import Entity

_DIGEST = (
    "SELECT digest FROM performance_schema.events_statements_summary_by_digest"
    " WHERE schema_name = %s AND digest_text LIKE %s ORDER BY last_seen DESC LIMIT 1"
)
_STATEMENTS_RUN = (
    "SELECT t.processlist_user, a.attr_value, SUM(e.count_star)"
    " FROM performance_schema.events_statements_summary_by_thread_by_event_name AS e"
    " JOIN performance_schema.threads AS t ON t.thread_id = e.thread_id"
    " JOIN performance_schema.session_connect_attrs AS a"
    " ON a.processlist_id = t.processlist_id AND a.attr_name = 'program_name'"
    " WHERE t.processlist_db = %s GROUP BY t.processlist_user, a.attr_value"
)
_PROGRAM_USERS = (
    "SELECT DISTINCT t.processlist_user, a.attr_value FROM performance_schema.threads AS t"
    " JOIN performance_schema.session_connect_attrs AS a"
    " ON a.processlist_id = t.processlist_id AND a.attr_name = 'program_name' WHERE a.attr_value = %s"
)
_BETWEEN_SECONDS = 0.5


def statement_and_table(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The digest, where the performance schema is on, and the table."""
    found = rows_or_none(observer, _DIGEST, target.database, digest_pattern(injection.statement))
    affected = (AFFECTED, "table", f"{target.database}.{injection.table}")
    return ((CAUSE, "statement_digest", str(found[0][0])), affected) if found else (affected,)


def statement_and_variable(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The digest and the variable that limits the statement."""
    statement = statement_and_table(observer, injection, target)
    return (*statement, (CAUSE, "variable", injection.variable))


def statement_and_index(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The digest, the table, and the index that the statement does not use any more."""
    statement = statement_and_table(observer, injection, target)
    return (*statement, (AFFECTED, "index", injection.index))


def failing_statement(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The digest and the table, the error that the server answers it with, and the program that sends it.

    The program only where the performance schema is on.
    """
    known = statement_and_table(observer, injection, target)
    found = rows_or_none(observer, _PROGRAM_USERS, injection.program) or []
    if not found:
        return (*known, (CAUSE, "error_code", _refusal(injection, target)))
    user, program = found[0]
    return (
        *known,
        (CAUSE, "error_code", _refusal(injection, target)),
        (CAUSE, "user", str(user)),
        (CAUSE, "program", str(program)),
    )


def _refusal(injection: Injection, target: Target) -> str:
    """The error that the statement fails with when it is sent once more."""
    with target.application.connect(program="lab", database=target.database) as client, client.cursor() as cursor:
        try:
            cursor.execute(injection.statement, (1,))
        except pymysql.MySQLError as refused:
            return str(refused.args[0])
    raise IncidentError("The statement that should fail does not.")


def busiest_program(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The program that runs most statements now; only the account without the performance schema."""
    before = _statements_run(observer, target)
    time.sleep(_BETWEEN_SECONDS)
    run = _statements_run(observer, target)
    if not run:
        return ((CAUSE, "user", injection.user),)
    user, program = max(run, key=lambda owner: run[owner] - before.get(owner, 0))
    return ((CAUSE, "user", user), (CAUSE, "program", program))


def _statements_run(observer: Connection, target: Target) -> dict[tuple[str, str], int]:
    """How many statements each account's programs have run in the sessions that are open."""
    found = rows_or_none(observer, _STATEMENTS_RUN, target.database) or []
    return {(str(user), str(program)): int(number) for user, program, number in found}


def digest_pattern(statement: str) -> str:
    """A LIKE pattern for the digest's text, in which servers space and quote in ways of their own."""
    without_values = re.sub(r"'[^']*'|%s", "", statement)
    words = re.findall(r"[A-Za-z_][A-Za-z_0-9]*", without_values)
    return "%".join(words) + "%"
