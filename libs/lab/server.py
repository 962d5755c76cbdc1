"""Changes that an incident makes to a server, each with what takes it back, and the counters that show its effect."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pymysql

from libs.lab.accounts import Login, connection_id, create_account, global_status
from libs.lab.errors import IncidentError
from libs.lab.injection import Target, wait_until

APPLICATION_PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE"
"""What an application's account may do in its database."""

_ORDINARY_ACCOUNT = "storex_lab_app"
_UNREACHABLE = frozenset({2002, 2003, 2006, 2013})
_JOIN_SECONDS = 5.0


def status(login: Login, name: str) -> int:
    """A numeric server status variable; 0 where the server has none of that name."""
    with login.connect(program="lab") as connection:
        return int(global_status(connection, name) or 0)


def innodb_metric(login: Login, name: str) -> int:
    """A counter of `information_schema.INNODB_METRICS`; 0 where it is not enabled."""
    rows = login.execute("SELECT `count` FROM information_schema.innodb_metrics WHERE name = %s", [name])
    return int(rows[0][0]) if rows else 0


def sessions_in_state(login: Login, state: str) -> int:
    """How many sessions the process list shows in a state like this one (a LIKE pattern)."""
    rows = login.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE %s", [state])
    return int(rows[0][0])


def variable(login: Login, name: str) -> str:
    """The global value of a server variable."""
    return str(login.execute(f"SELECT @@GLOBAL.{name}")[0][0])


def set_global(login: Login, undo: ExitStack, name: str, value: int | str) -> None:
    """Change a global variable until `undo` closes."""
    before = login.execute(f"SELECT @@GLOBAL.{name}")[0][0]
    undo.callback(take_back, login, f"SET GLOBAL {name} = %s", before)
    login.execute(f"SET GLOBAL {name} = %s", [value])


def create_table(target: Target, undo: ExitStack, name: str, columns: str) -> None:
    """Create a table of the target's database that is dropped when `undo` closes; `columns` may end with options."""
    table = f"`{target.database}`.`{name}`"
    undo.callback(take_back, target.administrator, f"DROP TABLE IF EXISTS {table}")
    target.administrator.execute(f"CREATE TABLE {table} {columns}")


@contextlib.contextmanager
def gone_is_undone(failure: str) -> Iterator[None]:
    """Within this a server that is gone has nothing left to undo; other refusals become an IncidentError."""
    try:
        yield
    except pymysql.Error as problem:
        if not problem.args or problem.args[0] not in _UNREACHABLE:
            raise IncidentError(f"{failure}: the server refused it. Do it yourself.") from problem


def take_back(login: Login, statement: str, *parameters: object) -> None:
    """Undo a change with one statement. Raises IncidentError when the server is there and refuses."""
    with gone_is_undone(f"{statement!r}, which ends the incident, has failed"):
        login.execute(statement, parameters)


def ordinary_login(target: Target, undo: ExitStack) -> Login:
    """An account without administrative privileges: the application's, or one made until `undo` closes."""
    if target.application.user != target.administrator.user:
        return target.application
    administrator, password = target.administrator, secrets.token_urlsafe(18)
    undo.callback(take_back, administrator, f"DROP USER IF EXISTS {_ORDINARY_ACCOUNT}@'%'")
    with administrator.connect(program="lab") as connection:
        create_account(connection, _ORDINARY_ACCOUNT, password, [f"{APPLICATION_PRIVILEGES} ON `{target.database}`.*"])
    return Login(administrator.host, administrator.port, _ORDINARY_ACCOUNT, password)


def restart(target: Target) -> None:
    """Restart the server, and wait for its clients. Raises IncidentError where the lab does not run the server."""
    if target.restart is None:
        raise IncidentError("The lab may restart its own servers only: use the lab's fleet for this one.")
    target.restart()
    if target.workload is not None:
        workload, before = target.workload, target.workload.operations
        wait_until(lambda: workload.operations > before, "the clients' coming back")


class StatementUnderWay(threading.Thread):
    """One long statement in a session of its own, which is killed at the end."""

    def __init__(self, login: Login, statement: str, *, program: str, database: str) -> None:
        super().__init__(name=program, daemon=True)
        self._login, self._statement = login, statement
        self._connection = login.connect(program=program, database=database)
        self.connection_id = connection_id(self._connection)

    def run(self) -> None:
        """Run the statement; it ends as it will, or is killed."""
        with contextlib.suppress(pymysql.Error), self._connection.cursor() as cursor:
            cursor.execute(self._statement)

    def stop(self) -> None:
        """Kill the session and wait for it."""
        with contextlib.suppress(pymysql.Error):
            self._login.execute("KILL %s", [self.connection_id])
        if self.ident is not None:
            self.join(_JOIN_SECONDS)
        with contextlib.suppress(pymysql.Error):
            self._connection.close()
