"""Brings an incident about, on an instance of the lab's fleet or on any server that one may write to."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from types import TracebackType

import pymysql

from libs.lab.accounts import Login
from libs.lab.errors import IncidentError
from libs.lab.incidents import incident
from libs.lab.injection import Injection, Target
from libs.lab.observers import truth_of
from libs.lab.schema import Service, create_database, create_tables
from libs.lab.shop import SERVICES
from libs.lab.truth import Truth
from libs.lab.workload import Workload

DATABASE = "storex_lab"
"""The database that `run` makes for itself and drops again."""

_DATABASE_EXISTS = 1007
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)


@dataclass(slots=True)
class RunningIncident:
    """An incident under way, with what a report about it has to say; use as a context manager, or call `stop`."""

    id: str
    title: str
    truth: Truth
    injection: Injection
    undo: ExitStack = field(default_factory=ExitStack, repr=False)

    def stop(self) -> None:
        """End it, and remove what was made for it."""
        self.undo.close()

    def __enter__(self) -> RunningIncident:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def bring_about(incident_id: str, target: Target) -> RunningIncident:
    """Inject an incident and find out its truth. Raises IncidentError when it is not known or does not come about."""
    entry = incident(incident_id)
    with ExitStack() as undo:
        injection = entry.inject(target)
        undo.callback(injection.stop)
        return RunningIncident(entry.id, entry.title, truth_of(entry.id, injection, target), injection, undo.pop_all())


def run(
    incident_id: str,
    *,
    host: str,
    port: int,
    user: str,
    password: str,
    database: str = DATABASE,
    service: str = "orders",
) -> RunningIncident:
    """Bring an incident about on any server, in a database of its own with a live workload.

    The account needs to create and drop that database, and PROCESS. Raises IncidentError with what to do.
    """
    incident(incident_id)
    if not _NAME.fullmatch(database):
        raise IncidentError("The database's name may have letters, digits and underscores only.")
    login = Login(host, port, user, password)
    workload = Workload(login, database, SERVICES[service].programs)
    target = Target(login, replace(login, is_patient=True), SERVICES[service], database, workload)
    try:
        with ExitStack() as undo:
            _create(login, target.service, database, undo)
            undo.callback(workload.stop)
            workload.start()
            running = bring_about(incident_id, target)
            undo.callback(running.undo.close)
            running.undo = undo.pop_all()
            return running
    except pymysql.Error as problem:
        code = problem.args[0] if problem.args else type(problem).__name__
        raise IncidentError(
            f"The server at {host}:{port} answered with error {code}. The account must be able to log in, to create "
            f"and drop the database {database}, and must have the privilege PROCESS."
        ) from problem


def _create(login: Login, service: Service, database: str, undo: ExitStack) -> None:
    with login.connect(program="lab") as connection:
        try:
            create_database(connection, database)
        except pymysql.Error as problem:
            if problem.args and problem.args[0] == _DATABASE_EXISTS:
                raise IncidentError(
                    f"The server has a database {database} already. Drop it if an earlier run left it, or name another."
                ) from problem
            raise
        undo.callback(_drop, login, database)
        create_tables(connection, service, database)


def _drop(login: Login, database: str) -> None:
    try:
        with login.connect(program="lab") as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{database}`")
    except pymysql.Error as problem:
        raise IncidentError(f"The database {database} could not be dropped again: drop it yourself.") from problem
