"""A row was written on the replica by hand; when its source writes the same key, the applier stops with an error."""

from __future__ import annotations

from libs.lab.accounts import Login
from libs.lab.injection import Injection, Target, wait_until
from libs.lab.replication import catch_up, locally, replica_status, source_of
from libs.lab.server import gone_is_undone, take_back

_TABLE = "loyalty_grades"


def inject(target: Target) -> Injection:
    """Write a row on the replica alone, then on its source, and wait until the applier has stopped."""
    source, replica = source_of(target), target.administrator
    table = f"`{target.database}`.`{_TABLE}`"
    injection = Injection(table=_TABLE)
    with injection.undo as undo:
        undo.callback(take_back, source, f"DROP TABLE IF EXISTS {table}")
        source.execute(f"CREATE TABLE {table} (id INT PRIMARY KEY, grade VARCHAR(20) NOT NULL)")
        catch_up(source, replica)
        undo.callback(_mend, replica, table)
        locally(replica, f"INSERT INTO {table} VALUES (1, 'gold')")  # noqa: S608 - a constant
        source.execute(f"INSERT INTO {table} VALUES (1, 'silver')")  # noqa: S608 - a constant
        wait_until(lambda: replica_status(replica).error_code != 0, "replication.error")
        injection.undo = undo.pop_all()
    return injection


def _mend(replica: Login, table: str) -> None:
    """Remove the row that is in the way, and go on."""
    with gone_is_undone("The row on the replica could not be removed"):
        locally(replica, f"DELETE FROM {table}")  # noqa: S608 - a constant
    take_back(replica, "START REPLICA")
