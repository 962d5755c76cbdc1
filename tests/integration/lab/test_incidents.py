"""Each incident on a real server: it comes about, the server shows it, and nothing of it stays."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.lab.engines import RunningEngine, require_engines
from libs.lab.errors import IncidentError
from libs.lab.run import DATABASE, RunningIncident, run

pytestmark = pytest.mark.engine


def _run(incident_id: str, engine: RunningEngine) -> RunningIncident:
    return run(incident_id, host=engine.host, port=engine.port, user=engine.user, password=engine.password)


def _sessions(engine: RunningEngine) -> int:
    return int(str(engine.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'root'")[0][0]))


def _connected(engine: RunningEngine) -> int:
    return int(str(engine.execute("SHOW GLOBAL STATUS LIKE 'Threads_connected'")[0][1]))


@pytest.fixture(autouse=True)
def nothing_stays(engine: RunningEngine) -> Iterator[None]:
    yield
    assert (
        engine.execute("SELECT schema_name FROM information_schema.schemata WHERE schema_name = %s", [DATABASE]) == []
    )
    until = time.monotonic() + 20
    while (sessions := _sessions(engine)) > 1 and time.monotonic() < until:  # the server ends them in its own time
        time.sleep(0.1)
    assert sessions == 1


def test_row_blocker(engine: RunningEngine) -> None:
    with _run("lock.row_blocker", engine) as running:
        (role, type_, holder), *_ = running.truth.entities
        assert (role, type_) == ("holder", "connection_id")
        waiting = engine.execute("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'")
        assert int(waiting[0][0]) >= 4
        command = engine.execute("SELECT command FROM information_schema.processlist WHERE id = %s", [holder])
        assert command == [("Sleep",)]


def test_a_killed_row_blocker_can_still_be_stopped(engine: RunningEngine) -> None:
    with _run("lock.row_blocker", engine) as running:
        engine.execute("KILL %s", [running.injection.connection_id])
    assert not engine.execute("SHOW DATABASES LIKE %s", [DATABASE]), "nothing of it stays"


def test_missing_index(engine: RunningEngine) -> None:
    with _run("query.missing_index", engine) as running:
        truth = {(role, type_): value for role, type_, value in running.truth.entities}
        calls, examined, unindexed = engine.execute(
            "SELECT count_star, sum_rows_examined, sum_no_index_used"
            " FROM performance_schema.events_statements_summary_by_digest WHERE digest = %s AND schema_name = %s",
            [truth["cause", "statement_digest"], DATABASE],
        )[0]
        assert truth["affected", "table"] == f"{DATABASE}.order_events"
        assert int(unindexed) == int(calls) >= 20
        assert int(examined) >= 50_000 * int(calls)


@pytest.mark.slow
def test_missing_index_without_the_performance_schema(tmp_path: Path) -> None:
    with (
        require_engines()[0].start(tmp_path, performance_schema=False) as bare,
        _run("query.missing_index", bare) as running,
    ):
        assert running.truth.decisive == (("affected", "table", f"{DATABASE}.order_events"),)


def test_an_account_that_may_not_fill_the_database_leaves_none_behind(engine: RunningEngine) -> None:
    engine.execute("CREATE USER little@'%' IDENTIFIED BY 'a-password'")
    try:
        engine.execute(f"GRANT CREATE, DROP ON {DATABASE}.* TO little@'%'")
        with pytest.raises(IncidentError, match="must be able to"):
            run("healthy", host=engine.host, port=engine.port, user="little", password="a-password")
    finally:
        engine.execute("DROP USER little@'%'")


@pytest.mark.slow
def test_a_server_that_is_gone_is_told_at_the_end(tmp_path: Path) -> None:
    with require_engines()[0].start(tmp_path) as doomed:
        running = _run("connections.leak", doomed)
        doomed.kill()
        with pytest.raises(IncidentError, match="drop it yourself"):
            running.stop()


@pytest.mark.slow
def test_connection_leak(engine: RunningEngine) -> None:
    limit = int(engine.execute("SELECT @@max_connections")[0][0])
    with _run("connections.leak", engine) as running:
        assert ("holder", "program", "invoice-exporter") in running.truth.entities
        until = time.monotonic() + 20
        while (connected := _connected(engine)) < 0.8 * limit and time.monotonic() < until:
            time.sleep(0.2)
        assert 0.8 * limit <= connected < limit


@pytest.mark.slow
def test_healthy_control_has_no_waits_and_no_unindexed_reads_of_large_tables(engine: RunningEngine) -> None:
    with _run("healthy", engine) as running:
        time.sleep(2)
        assert running.truth.unmet([]) == []
        assert (
            engine.execute(
                "SELECT digest_text FROM performance_schema.events_statements_summary_by_digest"
                " WHERE schema_name = %s AND sum_no_index_used > 0 AND last_seen > NOW() - INTERVAL 1 SECOND"
                " AND digest_text NOT LIKE %s",
                [DATABASE, "%`support-search`%"],
            )
            == []
        )


def test_a_database_of_that_name_is_left_alone(engine: RunningEngine) -> None:
    engine.execute(f"CREATE DATABASE {DATABASE}")
    try:
        with pytest.raises(IncidentError, match="has a database storex_lab already"):
            _run("healthy", engine)
        assert engine.execute("SELECT schema_name FROM information_schema.schemata WHERE schema_name = %s", [DATABASE])
    finally:
        engine.execute(f"DROP DATABASE {DATABASE}")


def test_a_wrong_password_is_told_without_the_password(engine: RunningEngine) -> None:
    with pytest.raises(IncidentError, match="error 1045") as told:
        run("healthy", host=engine.host, port=engine.port, user="root", password="not-this-one")
    assert "not-this-one" not in str(told.value)
