"""What a server under each incident shows to its administrator, in the engine's own terms: one check an id."""

from __future__ import annotations

import time
from collections.abc import Callable

import pymysql
import pytest

from libs.lab.accounts import Login
from libs.lab.incidents.innodb_purge_lag import history_length
from libs.lab.incidents.innodb_redo_stall import in_use
from libs.lab.incidents.lock_deadlock import deadlocks
from libs.lab.injection import Target
from libs.lab.run import RunningIncident
from libs.lab.server import sessions_in_state, status, variable

Symptom = Callable[[Target, RunningIncident], None]


def eventually(is_shown: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what the server shows a moment later."""
    until = time.monotonic() + seconds
    while not (shown := is_shown()) and time.monotonic() < until:
        time.sleep(0.15)  # InnoDB's tables of transactions are refreshed every 0.1 s
    assert shown


def growth(login: Login, name: str, seconds: float = 1.0) -> float:
    """How much a status counter grows in a second."""
    before, began = status(login, name), time.monotonic()
    time.sleep(seconds)
    return (status(login, name) - before) / (time.monotonic() - began)


def digest_row(target: Target, running: RunningIncident) -> dict[str, int]:
    """The counters of the statement that the truth names."""
    digest = next(value for _, type_, value in running.truth.entities if type_ == "statement_digest")
    names = (
        *("count_star", "sum_rows_examined", "sum_rows_sent", "sum_no_index_used", "sum_created_tmp_disk_tables"),
        "sum_errors",
    )
    (row,) = target.administrator.execute(
        f"SELECT {', '.join(names)} FROM performance_schema.events_statements_summary_by_digest"
        " WHERE digest = %s AND schema_name = %s",
        [digest, target.database],
    )
    return dict(zip(names, (int(value) for value in row), strict=True))


def transactions(target: Target, condition: str) -> list[int]:
    """The connections of the transactions of which this is true."""
    rows = target.administrator.execute(
        f"SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE {condition}"
    )
    return [int(row[0]) for row in rows]


def row_blocker(target: Target, running: RunningIncident) -> None:
    holder = running.injection.connection_id
    eventually(lambda: len(transactions(target, "trx_state = 'LOCK WAIT'")) >= 4)
    assert holder in transactions(target, "trx_state = 'RUNNING' AND trx_rows_modified >= 20")
    command = "SELECT command FROM information_schema.processlist WHERE id = %s"
    assert target.administrator.execute(command, [holder]) == [("Sleep",)]


def metadata(target: Target, running: RunningIncident) -> None:
    assert sessions_in_state(target.administrator, "Waiting for table metadata lock") >= 4
    waiting = (
        "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE state = 'Waiting for table metadata lock' AND info LIKE 'ALTER TABLE%'"
    )
    assert target.administrator.execute(waiting) == [(1,)]
    assert status(target.administrator, "Innodb_row_lock_current_waits") == 0


def global_read(target: Target, running: RunningIncident) -> None:
    states = "Waiting for % lock"
    assert sessions_in_state(target.administrator, states) >= 4
    with (
        target.application.connect(program="test", database=target.database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET SESSION lock_wait_timeout = 1")
        with pytest.raises(pymysql.err.OperationalError, match="1205"):
            cursor.execute(target.service.hot.update, (1,))


def deadlock(target: Target, running: RunningIncident) -> None:
    before = deadlocks(target.administrator)
    eventually(lambda: deadlocks(target.administrator) > before)
    assert "LATEST DETECTED DEADLOCK" in target.administrator.execute("SHOW ENGINE INNODB STATUS")[0][2]


def hot_row(target: Target, running: RunningIncident) -> None:
    holders: set[int] = set()

    def rotate() -> bool:
        holders.update(transactions(target, "trx_state = 'RUNNING' AND trx_rows_modified = 1"))
        return len(holders) >= 3

    eventually(rotate)
    eventually(lambda: len(transactions(target, "trx_state = 'LOCK WAIT'")) >= 4)


def unindexed_write(target: Target, running: RunningIncident) -> None:
    eventually(lambda: bool(transactions(target, "trx_rows_locked >= 50000 AND trx_rows_modified <= 5")))
    eventually(lambda: len(transactions(target, "trx_state = 'LOCK WAIT'")) >= 4)


def reads_the_whole_table(target: Target, running: RunningIncident) -> None:
    row = digest_row(target, running)
    assert row["sum_no_index_used"] == row["count_star"] >= 10
    assert row["sum_rows_examined"] >= 50_000 * row["count_star"]
    assert row["sum_rows_sent"] <= 24 * row["count_star"]


def plan_regression(target: Target, running: RunningIncident) -> None:
    history = target.service.history
    form = "EXPLAIN" if target.administrator.is_mariadb() else "EXPLAIN FORMAT=TRADITIONAL"
    with (
        target.administrator.connect(program="test", database=target.database) as connection,
        connection.cursor(pymysql.cursors.DictCursor) as cursor,
    ):
        cursor.execute(f"{form} {history.join}", (7,))
        plan = {str(row["table"]): row for row in cursor.fetchall()}
    (whole,) = [row for row in plan.values() if row["type"] == "ALL"]
    assert whole["possible_keys"] == history.index
    row = digest_row(target, running)
    assert 0 < row["sum_no_index_used"] < row["count_star"]


def temp_spill(target: Target, running: RunningIncident) -> None:
    row = digest_row(target, running)
    assert row["sum_created_tmp_disk_tables"] >= row["count_star"] - 3
    assert growth(target.administrator, "Created_tmp_disk_tables", 2.0) > 0


def spike(target: Target, running: RunningIncident) -> None:
    assert growth(target.administrator, "Com_select") >= 5 * sum(one.per_second for one in target.service.programs[1:])


def n_plus_one(target: Target, running: RunningIncident) -> None:
    row = digest_row(target, running)
    assert row["count_star"] >= 300
    assert row["sum_rows_examined"] == row["sum_rows_sent"] == row["count_star"]


def retry_storm(target: Target, running: RunningIncident) -> None:
    row = digest_row(target, running)
    assert row["sum_errors"] == row["count_star"] >= 100
    assert ("cause", "error_code", "1054") in running.truth.entities
    assert ("cause", "program", running.injection.program) in running.truth.entities


def leak(target: Target, running: RunningIncident) -> None:
    limit = int(variable(target.administrator, "max_connections"))
    idle = (
        "SELECT COUNT(*) FROM information_schema.processlist AS p"
        " JOIN performance_schema.session_connect_attrs AS a ON a.processlist_id = p.id"
        " WHERE p.command = 'Sleep' AND a.attr_value = %s"
    )
    eventually(lambda: int(target.administrator.execute(idle, [running.injection.program])[0][0]) >= 0.6 * limit)
    assert status(target.administrator, "Threads_connected") < limit


def exhausted(target: Target, running: RunningIncident) -> None:
    limit = int(variable(target.administrator, "max_connections"))
    eventually(lambda: status(target.administrator, "Threads_connected") >= limit)

    def is_refused() -> bool:
        try:
            target.application.connect(program="test").close()
        except pymysql.err.OperationalError as problem:
            return int(problem.args[0]) == 1040
        return False

    eventually(is_refused)


def purge_lag(target: Target, running: RunningIncident) -> None:
    assert history_length(target.administrator) >= 1_000
    oldest = transactions(target, "trx_started = (SELECT MIN(trx_started) FROM information_schema.innodb_trx)")
    assert running.injection.connection_id in oldest
    before = history_length(target.administrator)
    eventually(lambda: history_length(target.administrator) > before + 50)


def buffer_pool(target: Target, running: RunningIncident) -> None:
    assert int(variable(target.administrator, "innodb_buffer_pool_size")) <= 8 * 1024 * 1024
    assert growth(target.administrator, "Innodb_buffer_pool_reads") >= 50


def redo_stall(target: Target, running: RunningIncident) -> None:
    size = int(variable(target.administrator, running.injection.variable))
    eventually(lambda: in_use(target.administrator) >= 0.6 * size)
    assert growth(target.administrator, "Innodb_os_log_written", 2.0) >= size / 60


def flush_per_commit(target: Target, running: RunningIncident) -> None:
    assert variable(target.administrator, "innodb_flush_log_at_trx_commit") == "1"
    assert growth(target.administrator, "Innodb_data_fsyncs") >= 20  # MariaDB counts no others


def read_only(target: Target, running: RunningIncident) -> None:
    assert variable(target.administrator, "read_only") == "1"
    with (
        target.application.connect(program="test", database=target.database) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.err.OperationalError, match="1290"),
    ):
        cursor.execute(target.service.hot.update, (1,))


def change(target: Target, running: RunningIncident) -> None:
    assert variable(target.administrator, "wait_timeout") == "2"
    before = status(target.administrator, "Aborted_clients")
    eventually(lambda: status(target.administrator, "Aborted_clients") > before)


def refuses_rows(target: Target, running: RunningIncident) -> None:
    values = ("a", "b")[: running.injection.statement.count("%s")]
    with (
        target.application.connect(program="test", database=target.database) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.Error, match=r"\b(1114|167|1062)\b"),
    ):
        cursor.execute(running.injection.statement, values)


def table_change(target: Target, running: RunningIncident) -> None:
    state = "SELECT state FROM information_schema.processlist WHERE id = %s AND info LIKE 'ALTER TABLE %%'"
    [(doing,)] = target.administrator.execute(state, [running.injection.connection_id])
    assert "lock" not in str(doing)
    with (
        target.application.connect(program="test", database=target.database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SET SESSION lock_wait_timeout = 1")
        with pytest.raises(pymysql.err.OperationalError, match="1205"):
            cursor.execute(target.service.hot.update, (1,))


def auth_failed(target: Target, running: RunningIncident) -> None:
    assert growth(target.administrator, "Aborted_connects", 2.0) >= 1
    assert ("cause", "user", target.application.user) in running.truth.entities


SYMPTOMS: dict[str, Symptom] = {
    "lock.row_blocker": row_blocker,
    "lock.metadata": metadata,
    "lock.global_read": global_read,
    "lock.deadlock": deadlock,
    "lock.hot_row": hot_row,
    "lock.unindexed_write": unindexed_write,
    "query.missing_index": reads_the_whole_table,
    "query.plan_regression": plan_regression,
    "query.temp_spill": temp_spill,
    "query.heavy_scan": reads_the_whole_table,
    "traffic.spike": spike,
    "traffic.n_plus_one": n_plus_one,
    "traffic.retry_storm": retry_storm,
    "connections.leak": leak,
    "connections.exhausted": exhausted,
    "innodb.purge_lag": purge_lag,
    "innodb.buffer_pool": buffer_pool,
    "innodb.flush_per_commit": flush_per_commit,
    "innodb.redo_stall": redo_stall,
    "config.read_only": read_only,
    "config.change": change,
    "capacity.table_full": refuses_rows,
    "capacity.auto_increment": refuses_rows,
    "maintenance.ddl": table_change,
    "access.auth_failed": auth_failed,
}
