"""The redo log was made as small as it may be, and an upload of large documents waits for room in it."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.accounts import Login, connection_id
from libs.lab.clients import work_until
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import ClientProgram
from libs.lab.server import create_table, set_global, status, variable

_PROGRAM, _CONNECTIONS, _PER_SECOND = "document-upload", 6, 60.0
_TABLE, _COLUMNS = "documents", "(id BIGINT PRIMARY KEY, body MEDIUMTEXT NOT NULL) CHARACTER SET latin1"
_BYTES, _OF_EACH, _AT_ONCE = 200_000, 8, 5
_SMALLEST = {"innodb_redo_log_capacity": 8 * 1024 * 1024, "innodb_log_file_size": 4 * 1024 * 1024}
_NEARLY_FULL = 0.6
"""Checkpoint age over capacity, from which on engines have those wait that write."""


def inject(target: Target) -> Injection:
    """Shrink the log, let clients write documents of their own, and wait until the log is full."""
    name = _variable(target.administrator)
    size = _SMALLEST[name]
    if name == "innodb_log_file_size":
        size = max(size, int(variable(target.administrator, "innodb_log_buffer_size")))
    write = f"INSERT INTO {_TABLE} VALUES (%s, REPEAT(%s, {_BYTES})) ON DUPLICATE KEY UPDATE body = VALUES(body)"  # noqa: S608 - constants

    def upload(cursor: Cursor, chance: Random) -> None:
        own = connection_id(cursor.connection) * _OF_EACH
        for _ in range(_AT_ONCE):
            cursor.execute(write, (own + chance.randrange(_OF_EACH), chance.choice("abcdefgh")))
            cursor.connection.commit()

    injection = Injection(user=target.application.user, program=_PROGRAM, table=_TABLE, statement=write, variable=name)
    with injection.undo as undo:
        create_table(target, undo, _TABLE, _COLUMNS)
        set_global(target.administrator, undo, name, size)
        wait_until(lambda: int(variable(target.administrator, name)) <= size, "innodb.redo_stall")
        programs = [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (upload,))]
        return work_until(
            target,
            programs,
            injection,
            "innodb.redo_stall",
            lambda clients: clients.operations >= _CONNECTIONS and in_use(target.administrator) >= _NEARLY_FULL * size,
        )


def in_use(login: Login) -> int:
    """Redo log whose pages are not written yet, in bytes."""
    return status(login, "Innodb_checkpoint_age") or status(login, "Innodb_redo_log_logical_size")


def _variable(login: Login) -> str:
    found = login.execute("SHOW GLOBAL VARIABLES LIKE 'innodb_redo_log_capacity'")
    return "innodb_redo_log_capacity" if found else "innodb_log_file_size"
