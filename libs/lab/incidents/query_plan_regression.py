"""A table's statistics are wrong, and a join that followed an index now reads the whole table each time."""

from __future__ import annotations

from contextlib import ExitStack
from random import Random

from pymysql.cursors import Cursor

from libs.lab.injection import Injection, Target, wait_until
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import status, take_back
from libs.lab.workload import Workload

_PROGRAM = "account-overview"
_CONNECTIONS, _PER_SECOND, _ENOUGH_BEFORE, _ENOUGH_AFTER = 4, 30.0, 120, 15
"""Long enough with the good plan for whoever watches to know it."""
_ROWS_OF_A_SCAN = 50_000


def inject(target: Target) -> Injection:
    """Run the join with its good plan, spoil the statistics, and wait until it has run with the bad one."""
    history = target.service.history

    def join(cursor: Cursor, chance: Random) -> None:
        cursor.execute(history.join, (chance.randint(1, 1000),))

    injection = Injection(
        user=target.application.user,
        program=_PROGRAM,
        table=history.table,
        index=history.index,
        statement=history.join,
    )
    joins = Workload(target.application, target.database, [ClientProgram(_PROGRAM, _CONNECTIONS, _PER_SECOND, (join,))])
    with injection.undo as undo:
        undo.callback(joins.stop)
        joins.start()
        wait_until(lambda: joins.operations >= _ENOUGH_BEFORE, "query.plan_regression")
        _spoil_statistics(target, undo)
        read, operations = status(target.administrator, "Handler_read_rnd_next"), joins.operations
        wait_until(
            lambda: (
                joins.operations >= operations + _ENOUGH_AFTER
                and status(target.administrator, "Handler_read_rnd_next") >= read + _ENOUGH_AFTER * _ROWS_OF_A_SCAN
            ),
            "query.plan_regression",
        )
        injection.undo = undo.pop_all()
    return injection


def _spoil_statistics(target: Target, undo: ExitStack) -> None:
    """Tell the optimiser that the index has one value in all: every lookup would find the whole table."""
    history, administrator = target.service.history, target.administrator
    table = f"`{target.database}`.`{history.table}`"
    undo.callback(take_back, administrator, f"FLUSH TABLES {table}")
    spoil = _spoil_mariadb if administrator.is_mariadb() else _spoil_mysql
    spoil(target, table, undo)

    def reads_it_whole() -> bool:
        administrator.execute(f"FLUSH TABLES {table}")  # read again only once nobody has the table open
        return (history.index, "ALL") in _plan(target)

    wait_until(reads_it_whole, "query.plan_regression")


def _plan(target: Target) -> list[tuple[str, str]]:
    """Of each table of the join: the indexes that might serve it, and how it is read."""
    form = "EXPLAIN" if target.administrator.is_mariadb() else "EXPLAIN FORMAT=TRADITIONAL"
    with (
        target.administrator.connect(program="lab", database=target.database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(f"{form} {target.service.history.join}", (1,))
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [(str(row["possible_keys"]), str(row["type"])) for row in rows]


def _spoil_mariadb(target: Target, _table: str, undo: ExitStack) -> None:
    """By statistics of MariaDB's own kind, which come before those of InnoDB."""
    history, administrator = target.service.history, target.administrator
    whose = (target.database, history.table)
    for statistics in ("table_stats", "index_stats"):
        remove = f"DELETE FROM mysql.{statistics} WHERE db_name = %s AND table_name = %s"  # noqa: S608 - constants
        undo.callback(take_back, administrator, remove, *whose)
    administrator.execute("REPLACE INTO mysql.table_stats VALUES (%s, %s, %s)", (*whose, HISTORY_ROWS))
    values = (*whose, history.index, HISTORY_ROWS)
    administrator.execute("REPLACE INTO mysql.index_stats VALUES (%s, %s, %s, 1, %s)", values)


def _spoil_mysql(target: Target, table: str, undo: ExitStack) -> None:
    """By those of InnoDB, which MySQL reads again after the flush."""
    history, administrator = target.service.history, target.administrator
    undo.callback(take_back, administrator, f"ANALYZE TABLE {table}")
    undo.callback(take_back, administrator, f"ALTER TABLE {table} STATS_AUTO_RECALC = DEFAULT")
    administrator.execute(f"ALTER TABLE {table} STATS_AUTO_RECALC = 0")
    administrator.execute(
        "UPDATE mysql.innodb_index_stats SET stat_value = 1 WHERE database_name = %s AND table_name = %s"
        " AND index_name = %s AND stat_name = 'n_diff_pfx01'",
        (target.database, history.table, history.index),
    )
