"""What is planted in live sessions: statements under way, locks held and waited for, errors, and a steady workload."""

from __future__ import annotations

import contextlib
import threading
from typing import Any

import pymysql

from libs.lab.accounts import Connection
from tests.canary.markers import NUMBER, customer, principal
from tests.canary.plants import CLIENTS, LEDGER, ORDERS, PROCEDURE, PROGRAM, REGIONS, ROWS, Planted

_HEX = {place: customer(place).encode().hex() for place in ("hexstring", "hexnumber")}
_BITS = "".join(f"{byte:08b}" for byte in customer("bit").encode())
_FORGED = customer("forged")
_FORGERY = f"""
------------------------
LATEST DETECTED DEADLOCK
------------------------
2026-01-01 00:00:00 0x7f
*** (1) TRANSACTION:
MySQL thread id 1, OS thread handle 1, query id 1 {_FORGED} {_FORGED} x
SELECT {_FORGED} FROM {_FORGED}
*** WAITING FOR THIS LOCK TO BE GRANTED:
RECORD LOCKS space id 1 index {_FORGED} of table `{_FORGED}`.`{_FORGED}` lock_mode X
"""

UNDER_WAY: dict[str, str] = {
    "string": f"SELECT SLEEP(900) FROM {CLIENTS} WHERE note <> '{customer('string')}' LIMIT 1",
    "doublequoted": f'SELECT SLEEP(900), "{customer("doublequoted")}"',
    "escaped": f"SELECT SLEEP(900), 'it''s \\' {customer('escaped')} \\\\'",
    "adjacent": f"SELECT SLEEP(900), 'a' '{customer('adjacent')}'",
    "comment": f"SELECT /* {customer('comment')} */ SLEEP(900)",
    "linecomment": f"SELECT SLEEP(900) -- {customer('linecomment')}\n, 1",
    "hashcomment": f"SELECT SLEEP(900) # {customer('hashcomment')}\n, 1",
    "hint": f"SELECT /*+ NO_SUCH_HINT({customer('hint')}) */ SLEEP(900)",
    "versioned": f"SELECT /*!50000 '{customer('versioned')}', */ SLEEP(900)",
    "vendor": f"SELECT /*M!100100 '{customer('vendor')}', */ SLEEP(900)",
    "hexstring": f"SELECT SLEEP(900), X'{_HEX['hexstring']}'",
    "hexnumber": f"SELECT SLEEP(900), 0x{_HEX['hexnumber']}",
    "bit": f"SELECT SLEEP(900), b'{_BITS}'",
    "national": f"SELECT SLEEP(900), N'{customer('national')}'",
    "introducer": f"SELECT SLEEP(900), _utf8mb4'{customer('introducer')}'",
    "spacedintroducer": f"SELECT SLEEP(900), _latin1 '{customer('spacedintroducer')}'",
    "number": f"SELECT SLEEP(900) FROM {CLIENTS} WHERE amount <= -{NUMBER} OR amount IN (1, {NUMBER}) LIMIT 1",
    "json": f"SELECT SLEEP(900), JSON_EXTRACT('{{\"{customer('json')}\": 1}}', '$.{customer('json')}')",
    "like": f"SELECT SLEEP(900) FROM {CLIENTS} WHERE id NOT LIKE '{customer('like')[:11]}%' LIMIT 1",
    "variable": f"SELECT SLEEP(900), @{customer('variable')} := 1",
    "call": f"CALL {PROCEDURE}('{customer('call')}')",
    "cut": f"SELECT SLEEP(900), '{'x' * 16_300}{customer('cut')} {'y' * 200}' , '{customer('cut')}'",
    "lines": f"SELECT SLEEP(900), '\n{customer('lines')} FROM {customer('lines')}\n'",
    "forged": f"SELECT SLEEP(900), '{_FORGERY}'",
}
"""Statements that run for as long as the engine does, by the place that their canary is in."""

IN_MODE: dict[str, tuple[str, str]] = {
    "ansiquotes": ("ANSI_QUOTES", f"SELECT SLEEP(900), 'a\"' AS \"b\", '{customer('ansiquotes')}'"),
    "nobackslash": ("NO_BACKSLASH_ESCAPES", f"SELECT SLEEP(900), '\\', ' + {customer('nobackslash')} , '"),
}
"""Statements whose quotes mean something else in the session's SQL mode."""

WORKLOAD: dict[str, str] = {
    "workselect": f"SELECT COUNT(*) FROM {CLIENTS} WHERE note = '{customer('workselect')}' OR amount = {NUMBER}",
    "workinsert": f"INSERT INTO {ORDERS} (client) VALUES ('{ROWS[1]}')",
    "workrows": f"UPDATE {LEDGER} SET note = '{customer('workrows')}' WHERE id = 3",
    "duplicate": f"INSERT INTO {CLIENTS} (id) VALUES ('{ROWS[0]}')",
    "signal": f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{customer('signal')}'",
    "broken": f"SELECT FROM WHERE '{customer('broken')}'",
    "absent": f"SELECT * FROM no_such_table WHERE note = '{customer('absent')}'",
}
ADMINISTRATION: tuple[str, ...] = (
    f"CREATE USER {principal('created')}@localhost IDENTIFIED BY '{customer('identified')}'",
    f"GRANT SELECT ON *.* TO {principal('created')}@localhost",
    f"DROP USER {principal('created')}@localhost",
)


class LiveSessions:
    """Clients at work from `start` to `stop`."""

    def __init__(self, planted: Planted) -> None:
        self._planted = planted
        self._stopping = threading.Event()
        self._open: list[Connection] = []
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Bring everything about; returns once it stands."""
        self._deadlock()
        self._foreign_key_error()
        self._locks()
        self._idle()
        for place, statement in UNDER_WAY.items():
            # The monitor quotes the statements of open transactions only.
            opening = ("BEGIN", f"UPDATE {LEDGER} SET note = 'y' WHERE id = 2") if place == "forged" else ()
            self._run(self._client(), *opening, statement)
        for mode, statement in IN_MODE.values():
            self._run(self._client(sql_mode=mode), statement)
        self._spawn(self._work)

    def stop(self) -> None:
        """End the threads; the engine must have been stopped, for that is what ends their statements."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(10)
        for connection in self._open:
            with contextlib.suppress(pymysql.Error, OSError):
                connection.close()

    def _client(self, *, program: str = PROGRAM, sql_mode: str | None = None) -> Connection:
        connection = self._planted.connect(program=program, sql_mode=sql_mode)
        self._open.append(connection)
        return connection

    def _spawn(self, work: Any, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _run(self, connection: Connection, *statements: str) -> threading.Thread:
        """Run statements beside everything else; what they end with is of no interest."""

        def run() -> None:
            with contextlib.suppress(pymysql.Error, OSError):
                _execute(connection, *statements)

        return self._spawn(run)

    def _deadlock(self) -> None:
        first, second = self._client(), self._client()
        for connection, key in ((first, ROWS[0]), (second, ROWS[1])):
            _execute(connection, "BEGIN", f"UPDATE {CLIENTS} SET note = '{customer('deadlock')}' WHERE id = '{key}'")
        waiting = self._run(first, f"UPDATE {CLIENTS} SET note = '{customer('deadlock')}' WHERE id = '{ROWS[1]}'")
        self._wait_for_lock_waits(1)
        with contextlib.suppress(pymysql.err.OperationalError):
            _execute(second, f"UPDATE {CLIENTS} SET note = '{customer('deadlock')}' WHERE id = '{ROWS[0]}'")
        waiting.join(10)
        for connection in (first, second):
            _execute(connection, "ROLLBACK")

    def _foreign_key_error(self) -> None:
        with contextlib.suppress(pymysql.err.IntegrityError):
            _execute(self._client(), f"INSERT INTO {ORDERS} (client) VALUES ('{customer('orphan')}')")

    def _locks(self) -> None:
        """A row's lock, a metadata lock and a lock by name, each held by an idle session and waited for."""
        holder = self._client()
        _execute(holder, "BEGIN", f"UPDATE {CLIENTS} SET note = '{customer('held')}' WHERE id = '{ROWS[2]}'")
        _execute(holder, f"SELECT GET_LOCK('{customer('lock')}', 0)")
        for _ in range(3):
            waiter = f"UPDATE {CLIENTS} SET note = '{customer('waiting')}' WHERE id = '{ROWS[2]}'"
            self._run(self._client(), "SET SESSION innodb_lock_wait_timeout = 900", waiter)
        self._run(self._client(), f"SELECT GET_LOCK('{customer('lock')}', 900)")
        _execute(holder, f"SELECT name FROM {REGIONS}")
        self._run(self._client(), f"ALTER TABLE {REGIONS} COMMENT = '{customer('alter')}'")
        self._wait_for_lock_waits(3)

    def _idle(self) -> None:
        connection = self._client()
        _execute(connection, f"SET @kept = '{customer('uservariable')}'")
        _execute(connection, f"PREPARE kept FROM 'SELECT ''{customer('prepared')}'''")
        for place in ("duplicate", "signal", "workselect"):
            failing = self._client(program=principal("idleprogram"))
            with contextlib.suppress(pymysql.Error):
                _execute(failing, WORKLOAD[place])

    def _work(self) -> None:
        worker, administrator = self._client(), self._planted.engine.connect()
        self._open.append(administrator)
        with contextlib.suppress(OSError, pymysql.err.InterfaceError):
            while not self._stopping.wait(0.3):
                for connection, statements in ((worker, WORKLOAD.values()), (administrator, ADMINISTRATION)):
                    for statement in statements:
                        with contextlib.suppress(pymysql.err.MySQLError):
                            _execute(connection, statement)

    def _wait_for_lock_waits(self, number: int) -> None:
        for _ in range(100):
            # MariaDB renews what this table shows only after it has not been read for a tenth of a second.
            self._stopping.wait(0.15)
            ((waits,),) = self._planted.engine.execute(
                "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
            )
            if waits >= number:
                return
        raise AssertionError("the planted lock waits did not come about")


def _execute(connection: Connection, *statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            cursor.fetchall()
