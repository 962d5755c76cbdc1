"""The commands of next steps, run on real servers: they parse, they hit what they should, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pymysql
import pytest

from libs.lab.engines import RunningEngine, require_engines
from storex.agent.v1 import report_pb2
from tests.unit.agent import answers
from tests.unit.agent.recorded import claimed, health_record, record, report_on

pytestmark = pytest.mark.engine

_TRANSACTION_CACHE_SECONDS = 0.2
"""The server answers from a cache of INNODB_TRX that it renews after 0.1 s."""


@pytest.fixture(scope="module", params=require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    directory: Path = tmp_path_factory.mktemp("engine")
    with request.param.start(directory) as running:
        running.execute("CREATE DATABASE shop")
        running.execute(
            "CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, customer_email VARCHAR(80), "
            "placed_at DATETIME, total INT)"
        )
        insert = "INSERT INTO shop.orders (customer_email, placed_at, total) VALUES (%s, NOW(), 1)"
        with running.connect() as client, client.cursor() as cursor:
            cursor.executemany(insert, [(f"c{number}@example.org",) for number in range(5000)])
        running.execute("CREATE USER users_app@'127.0.0.1' IDENTIFIED BY 'users'")
        yield running


def _commands(report: report_pb2.Report) -> list[str]:
    return [step.command for step in report.next_steps if step.command]


def _idle_client(engine: RunningEngine, stack: ExitStack, program: str) -> tuple[Any, int]:
    client = pymysql.connect(
        host=engine.host, port=engine.port, user="users_app", password="users", program_name=program
    )
    stack.callback(client.close)
    return client, _connection_id(client)


def _connection_id(client: pymysql.Connection[Any]) -> int:
    with client.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        return int(cursor.fetchall()[0][0])


def test_the_leaking_clients_idle_connections_and_no_others_are_listed_and_ended(engine: RunningEngine) -> None:
    finding, answer = answers.leak_finding(), answers.connections()
    answer.groups[1].median_idle_seconds = 1.2
    report = report_on([health_record(answers.health(finding)), record("get_connections", answer)], claimed(finding))
    listing, kills = _commands(report)
    with ExitStack() as stack:
        leaked = [_idle_client(engine, stack, "profile-sync") for _ in range(3)]
        healthy, _ = _idle_client(engine, stack, "users-api")
        time.sleep(1.5)
        ids = {thread for _, thread in leaked}
        assert {int(row[0]) for row in engine.execute(listing)} == ids
        printed = [row[0] for row in engine.execute(kills)]
        assert set(printed) == {f"KILL {thread};" for thread in ids}
        for command in printed:
            engine.execute(command)
        healthy.ping(reconnect=False)
        for client, _ in leaked:
            with pytest.raises(pymysql.MySQLError):
                client.ping(reconnect=False)


def test_the_blocker_is_seen_and_ended(engine: RunningEngine) -> None:
    with engine.connect() as holder:
        holder.begin()
        holder.cursor().execute("UPDATE shop.orders SET total = 2 WHERE id = 1")
        thread = _connection_id(holder)
        finding = answers.blocker_finding(holder=thread)
        report = report_on(
            [
                record("get_overview", answers.overview(engine=engine.kind)),
                health_record(answers.health(finding)),
                record("get_lock_waits", answers.lock_waits(holder=thread)),
            ],
            claimed(finding),
        )
        see, kill, *settings = _commands(report)
        time.sleep(_TRANSACTION_CACHE_SECONDS)
        assert int(engine.execute(see)[0][3]) == 1
        engine.execute(kill)
        for command in settings:
            engine.execute(command)
        time.sleep(_TRANSACTION_CACHE_SECONDS)
        assert engine.execute(see) == []
        assert engine.execute("SELECT total FROM shop.orders WHERE id = 1")[0][0] == 1


def test_the_proposed_index_is_used_by_the_statement(engine: RunningEngine) -> None:
    finding = answers.missing_index_finding()
    report = report_on(
        [health_record(answers.health(finding)), record("list_top_queries", answers.top_queries())], claimed(finding)
    )
    explain, show, create = _commands(report)
    filled = explain.replace("?", "'c7@example.org'", 1).replace("?", "'2000-01-01'", 1).replace("?", "10")
    with engine.connect(database="shop") as client, client.cursor() as cursor:
        cursor.execute(show)
        assert [row[2] for row in cursor.fetchall()] == ["PRIMARY"]
        cursor.execute(create)
        cursor.execute("ANALYZE TABLE orders")
        cursor.fetchall()
        cursor.execute(filled)
        assert "idx_orders_customer_email_placed_at" in str(cursor.fetchall())
