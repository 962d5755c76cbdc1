"""A forgotten session keeps an old read view open while others write: what they replace cannot be purged."""

from __future__ import annotations

from random import Random

from pymysql.cursors import Cursor

from libs.lab.accounts import Login, connection_id
from libs.lab.clients import release, work_until
from libs.lab.injection import Injection, Target
from libs.lab.schema import HISTORY_ROWS, ClientProgram
from libs.lab.server import innodb_metric, status

_PROGRAM = "export-notebook"
_WRITER, _CONNECTIONS, _PER_SECOND, _BATCH = "scan-ingest", 2, 12.0, 30
_ENOUGH = 1_000


def inject(target: Target) -> Injection:
    """Open the read view, write, and wait until a history has built up."""
    history = target.service.history

    def change_a_batch(cursor: Cursor, chance: Random) -> None:
        first = chance.randint(1, HISTORY_ROWS - _BATCH)
        for row in range(first, first + _BATCH):
            cursor.execute(f"UPDATE {history.table} SET created_at = NOW() WHERE id = %s", (row,))  # noqa: S608 - a constant
            cursor.connection.commit()

    injection = Injection(user=target.application.user, program=_PROGRAM, table=history.table)
    with injection.undo as undo:
        holder = target.application.connect(program=_PROGRAM, database=target.database)
        undo.callback(release, holder)
        injection.connection_id = connection_id(holder)
        with holder.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
            cursor.execute(f"SELECT id FROM {history.table} WHERE id = 1")  # noqa: S608 - a constant
        before = history_length(target.administrator)
        programs = [ClientProgram(_WRITER, _CONNECTIONS, _PER_SECOND, (change_a_batch,))]
        return work_until(
            target,
            programs,
            injection,
            "innodb.purge_lag",
            lambda _: history_length(target.administrator) >= before + _ENOUGH,
        )


def history_length(login: Login) -> int:
    """Undo logs that wait to be purged: MariaDB has them in its status, MySQL in InnoDB's metrics."""
    return max(status(login, "Innodb_history_list_length"), innodb_metric(login, "trx_rseg_history_len"))
