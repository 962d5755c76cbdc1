"""A table without a primary key is changed whole, again and again: the replica searches it for each row, and lags."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.accounts import Login
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.replication import catch_up, locally, replica_status, source_of
from libs.lab.schema import ClientProgram
from libs.lab.server import gone_is_undone, take_back
from libs.lab.workload import Workload

_TABLE = "price_list"
_ROWS = {"MariaDB": 2_000, "MySQL": 9_000}
"""MariaDB searches the table for every row, MySQL for every event of some rows: it takes a second or so."""

_COLUMNS = "sku INT NOT NULL, price_cents INT NOT NULL, terms CHAR(250) NOT NULL"
_PROGRAM, _PER_SECOND = "price-feed", 6.0
_ENOUGH_SECONDS, _PATIENCE_SECONDS = 3, 40.0


def inject(target: Target) -> Injection:
    """Make the table, change it on the source, and wait until the replica is seconds behind."""
    source, replica = source_of(target), target.administrator
    table = f"`{target.database}`.`{_TABLE}`"
    kind = "MariaDB" if replica.is_mariadb() else "MySQL"

    def change_every_price(cursor: Cursor, _chance: Random) -> None:
        cursor.execute(f"UPDATE {table} SET price_cents = price_cents + 1")  # noqa: S608 - a constant

    injection = Injection(user=source.user, program=_PROGRAM, table=_TABLE)
    feed = Workload(source, target.database, [ClientProgram(_PROGRAM, 1, _PER_SECOND, (change_every_price,))])
    with injection.undo as undo:
        undo.callback(take_back, source, f"DROP TABLE IF EXISTS {table}")
        source.execute(f"CREATE TABLE {table} ({_COLUMNS}) CHARACTER SET latin1")
        rows = ", ".join(f"({number}, 100, 'as agreed')" for number in range(_ROWS[kind]))
        source.execute(f"INSERT INTO {table} VALUES {rows}")  # noqa: S608 - numbers
        catch_up(source, replica)
        undo.callback(_help_to_catch_up, replica, table)
        undo.callback(feed.stop)
        feed.start()
        wait_until(lambda: _lag(replica) >= _ENOUGH_SECONDS, "replication.lag", seconds=_PATIENCE_SECONDS)
        injection.undo = undo.pop_all()
    return injection


def _lag(replica: Login) -> int:
    return replica_status(replica).lag_seconds or 0


def _help_to_catch_up(replica: Login, table: str) -> None:
    """Give the replica's table a key, or it would be at work long after the incident."""
    with gone_is_undone("The replica's table could not be given a key"):
        locally(replica, f"ALTER TABLE {table} ADD PRIMARY KEY (sku)")
