"""Who holds what others need: the session that the injector named, as the server shows it."""

from __future__ import annotations

from libs.core.catalogue import AFFECTED, CAUSE, HOLDER
from libs.lab.accounts import Connection
from libs.lab.errors import IncidentError
from libs.lab.injection import Injection, Target
from libs.lab.observers.server import rows, rows_or_none
from libs.lab.truth import Entity

_PROGRAM = (
    "SELECT attr_value FROM performance_schema.session_connect_attrs"
    " WHERE processlist_id = %s AND attr_name = 'program_name'"
)


def idle_transaction(observer: Connection, injection: Injection, _target: Target) -> tuple[Entity, ...]:
    """An open transaction whose session does nothing."""
    found = rows(
        observer,
        "SELECT p.user FROM information_schema.innodb_trx AS t"
        " JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id"
        " WHERE p.id = %s AND p.command = 'Sleep'",
        injection.connection_id,
    )
    return _holder(observer, injection, found)


def oldest_read_view(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """The transaction that has been open for longest of all."""
    oldest = rows(
        observer, "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx ORDER BY trx_started LIMIT 1"
    )
    if not oldest or int(oldest[0][0]) != injection.connection_id:
        raise IncidentError("Another transaction is older than the lab's: end it first.")
    return idle_transaction(observer, injection, target)


def table_lock(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """An idle transaction with a granted metadata lock on the table, where the server shows such locks."""
    granted = rows_or_none(
        observer,
        "SELECT 1 FROM performance_schema.metadata_locks AS m"
        " JOIN performance_schema.threads AS t ON t.thread_id = m.owner_thread_id"
        " WHERE t.processlist_id = %s AND m.object_schema = %s AND m.object_name = %s AND m.lock_status = 'GRANTED'",
        injection.connection_id,
        target.database,
        injection.table,
    )
    if granted == []:
        raise IncidentError("The session has no metadata lock any more: did somebody end its transaction?")
    table = (AFFECTED, "table", f"{target.database}.{injection.table}")
    return (*_idle_session(observer, injection), table)


def global_lock(observer: Connection, injection: Injection, _target: Target) -> tuple[Entity, ...]:
    """An idle session with the global (MariaDB: backup) lock, where the server shows such locks."""
    granted = rows_or_none(
        observer,
        "SELECT 1 FROM performance_schema.metadata_locks AS m"
        " JOIN performance_schema.threads AS t ON t.thread_id = m.owner_thread_id"
        " WHERE t.processlist_id = %s AND m.object_type IN ('GLOBAL', 'BACKUP', 'BACKUP LOCK')"
        " AND m.lock_status = 'GRANTED'",
        injection.connection_id,
    )
    if granted == []:
        raise IncidentError("The session has no global lock any more: did somebody end it?")
    return _idle_session(observer, injection)


def most_connected(observer: Connection, injection: Injection, _target: Target) -> tuple[Entity, ...]:
    """Whose connections are most: the account, and its program where the server shows programs."""
    owners = rows(
        observer,
        "SELECT user, COUNT(*) AS number FROM information_schema.processlist GROUP BY user ORDER BY number DESC",
    )
    if str(owners[0][0]) != injection.user:
        raise IncidentError("Another account has more connections than the lab's: this server will not do.")
    programs = rows_or_none(
        observer,
        "SELECT attr_value, COUNT(*) AS number FROM performance_schema.session_connect_attrs"
        " WHERE attr_name = 'program_name' GROUP BY attr_value ORDER BY number DESC LIMIT 1",
    )
    user = (HOLDER, "user", injection.user)
    return (user, (HOLDER, "program", str(programs[0][0]))) if programs else (user,)


def table_change(observer: Connection, injection: Injection, target: Target) -> tuple[Entity, ...]:
    """A session that changes a table and does not wait, and the table by the text of its statement."""
    found = rows(
        observer,
        "SELECT user, info FROM information_schema.processlist"
        " WHERE id = %s AND command = 'Query' AND info LIKE 'ALTER TABLE %%' AND state NOT LIKE 'Waiting%%'",
        injection.connection_id,
    )
    if not found:
        raise IncidentError("The session does not change the table any more: did it end?")
    user, text = found[0]
    program = rows_or_none(observer, _PROGRAM, injection.connection_id)
    return (
        (CAUSE, "connection_id", str(injection.connection_id)),
        (CAUSE, "user", str(user)),
        *([(CAUSE, "program", str(program[0][0]))] if program else []),
        (AFFECTED, "table", f"{target.database}.{str(text).split('`')[1]}"),
    )


def _idle_session(observer: Connection, injection: Injection) -> tuple[Entity, ...]:
    found = rows(
        observer,
        "SELECT user FROM information_schema.processlist WHERE id = %s AND command = 'Sleep'",
        injection.connection_id,
    )
    return _holder(observer, injection, found)


def _holder(observer: Connection, injection: Injection, found: list[tuple[object, ...]]) -> tuple[Entity, ...]:
    if not found:
        raise IncidentError("The holder's transaction is gone: did somebody end its connection?")
    program = rows_or_none(observer, _PROGRAM, injection.connection_id)
    return (
        (HOLDER, "connection_id", str(injection.connection_id)),
        (HOLDER, "user", str(found[0][0])),
        *([(HOLDER, "program", str(program[0][0]))] if program else []),
    )
