"""Traffic on real servers: who sends more is found on either engine, whoever it is and whatever it sends."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from libs.lab.accounts import create_account
from libs.lab.engines import RunningEngine
from libs.lab.run import run
from services.shard.collectors.connections import get_connections
from services.shard.collectors.running_statements import list_running_statements
from services.shard.collectors.temp_tables import get_temp_tables
from services.shard.collectors.traffic import get_traffic
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import activity_pb2, diagnostics_pb2, finding_pb2, traffic_pb2
from tests.integration.shard.at_work import at_work
from tests.integration.shard.conftest import PASSWORD, StartInstance
from tests.integration.shard.test_health import unmet

pytestmark = pytest.mark.engine

READ, WRITE = "SELECT total FROM carts WHERE id = %s", "UPDATE carts SET total = total + 1 WHERE id = %s"
USER = "trader"
"""May come from anywhere; MySQL's administrator may not."""
BEFORE, FOUND_WITHIN = 12.0, 25.0
"""Seconds that are watched before, and until a finding; on a busy machine two clients' threads are slow to start."""


@contextmanager
def clients(
    engine: RunningEngine, program: str, statement: str, per_second: float, *, number: int = 1, host: str = "127.0.0.1"
) -> Iterator[None]:
    """So many sessions of a program, each sending a statement so often a second."""

    def work(stopping: threading.Event) -> None:
        with (
            engine.connect(
                user=USER, password=PASSWORD, database="shop", program_name=program, bind_address=host
            ) as session,
            session.cursor() as cursor,
        ):
            due = time.monotonic()
            while not stopping.wait(max(0.0, due - time.monotonic())):
                cursor.execute(statement, [1 + number])
                due = max(due + 1.0 / per_second, time.monotonic() - 0.1)

    with at_work(work, number):
        yield


async def spike_of(view: InstanceView) -> finding_pb2.Finding:
    """The finding that nothing else explains, once there is one."""
    health = await assess(view, {})
    for _ in range(round(2 * FOUND_WITHIN)):
        health = await assess(view, {})
        explained = {effect for finding in health.findings for effect in finding.explains}
        roots = [one for one in health.findings if one.id not in explained]
        if roots:
            assert [one.kind for one in roots] == ["traffic.spike"]
            return roots[0]
        await asyncio.sleep(0.5)
    pytest.fail(next(check.reason for check in health.checks if check.kind == "traffic.spike"))


def parts(finding: finding_pb2.Finding) -> dict[str, str]:
    return {one.type: one.value for one in finding.entities if one.role == "cause"}


@asynccontextmanager
async def usual(engine: RunningEngine, view: InstanceView) -> AsyncIterator[InstanceView]:
    """What is there before: two programs at work."""
    with engine.connect() as administrator:
        create_account(administrator, USER, PASSWORD, ("SELECT, INSERT, UPDATE ON shop.*",))
    try:
        with clients(engine, "basket", READ, 15.0), clients(engine, "ledger", WRITE, 10.0):
            await asyncio.sleep(BEFORE)
            yield view
    finally:
        engine.execute(f"DROP USER {USER}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "statement", "host"),
    [
        ("basket", READ, "127.0.0.1"),
        ("ledger", WRITE, "127.0.0.1"),
        ("crawler", READ, "127.0.0.1"),
        ("basket", READ, "127.0.0.2"),
    ],
    ids=["a known program", "writes", "a new program", "a new host"],
)
async def test_who_sends_many_times_as_much_is_named(
    program: str, statement: str, host: str, engine: RunningEngine, view: InstanceView
) -> None:
    async with usual(engine, view):
        began = time.time()
        with clients(engine, program, statement, 70.0, number=5, host=host):
            finding = await spike_of(view)
    named = parts(finding)
    assert (named["user"], named["program"]) == (USER, program)
    if host != "127.0.0.1":
        assert named["host"] == host
    assert abs(finding.onset.ToSeconds() - began) < 8.0
    tables = {one.value for one in finding.entities if one.type == "table"}
    assert tables == {"shop.carts"}


@pytest.mark.slow
async def test_the_labs_spike(engine: RunningEngine, view: InstanceView) -> None:
    await asyncio.sleep(BEFORE)
    incident = await asyncio.to_thread(
        run, "traffic.spike", host=engine.host, port=engine.port, user=engine.user, password=engine.password
    )
    try:
        problems = ["not looked yet"]
        for _ in range(round(2 * FOUND_WITHIN)):
            problems = unmet(await assess(view, {}), incident)
            if not problems:
                break
            await asyncio.sleep(0.5)
        assert problems == []
    finally:
        await asyncio.to_thread(incident.stop)


@pytest.mark.slow
@pytest.mark.parametrize(
    "harmless",
    [
        lambda engine: clients(engine, "basket", READ, 15.0),
        lambda engine: clients(engine, "nightly", "SELECT COUNT(*), MAX(id) FROM carts WHERE id > %s", 60.0),
        lambda engine: clients(
            engine, "importer", "INSERT INTO carts VALUES (%s, 'x', 1) ON DUPLICATE KEY UPDATE total=9", 150.0
        ),
    ],
    ids=["twice as much", "a nightly batch", "new work that costs nothing"],
)
async def test_what_is_harmless_is_not_told(
    harmless: Callable[[RunningEngine], Iterator[None]], engine: RunningEngine, view: InstanceView
) -> None:
    async with usual(engine, view):
        with harmless(engine):  # type: ignore[attr-defined]
            for _ in range(6):
                await asyncio.sleep(2.0)
                health = await assess(view, {})
                assert [finding.kind for finding in health.findings] == []


@pytest.mark.slow
async def test_without_performance_schema_growth_is_told_and_not_called_a_spike(
    unobserved_engine: RunningEngine, start_instance: StartInstance
) -> None:
    view = (await start_instance(unobserved_engine)).view
    async with usual(unobserved_engine, view):
        with clients(unobserved_engine, "basket", READ, 70.0, number=5):
            check = await check_of(view, finding_pb2.CHECK_RESULT_NOT_CHECKED)
            answer = await get_traffic(view, traffic_pb2.GetTrafficRequest())
    assert "statements a second instead of" in check.reason
    assert (answer.clients[0].user, answer.clients[0].program) == (USER, "")
    assert answer.clients[0].statements.per_second >= 100.0
    assert "TRAFFIC_ESTIMATED" in {limit.code for limit in answer.observation.limits}


async def check_of(view: InstanceView, result: finding_pb2.CheckResult.ValueType) -> finding_pb2.Check:
    """What the check for a spike came to, once it came to that; no spike is found on the way."""
    check = finding_pb2.Check()
    for _ in range(round(2 * FOUND_WITHIN)):
        health = await assess(view, {})
        assert "traffic.spike" not in {finding.kind for finding in health.findings}
        [check] = [one for one in health.checks if one.kind == "traffic.spike"]
        if check.result == result:
            return check
        await asyncio.sleep(0.5)
    pytest.fail(check.reason)


async def test_running_statements_temporary_tables_and_connections(engine: RunningEngine, view: InstanceView) -> None:
    await asyncio.sleep(1.5)

    def group() -> None:
        with engine.connect(database="shop", program_name="report") as session, session.cursor() as cursor:
            cursor.execute("SELECT MOD(total, 2), COUNT(*) FROM carts GROUP BY MOD(total, 2) ORDER BY 2")
            cursor.fetchall()
            cursor.execute("SELECT SLEEP(1.2), note FROM carts WHERE id = 1")

    working = asyncio.create_task(asyncio.to_thread(group))
    await asyncio.sleep(0.7)
    running = await list_running_statements(view, activity_pb2.ListRunningStatementsRequest())
    temporary = await get_temp_tables(view, activity_pb2.GetTempTablesRequest())
    connections = await get_connections(view, diagnostics_pb2.GetConnectionsRequest())
    await working
    [one] = running.statements
    assert (one.session.user, one.session.program, one.session.schema) == (engine.user, "report", "shop")
    assert "SLEEP" in one.session.statement.digest_text.upper()
    assert "1.2" not in str(running)
    assert [digest.sessions for digest in running.digests] == [1]
    assert temporary.created_per_second > 0
    assert temporary.largest_in_memory_bytes > 0
    assert any("GROUP BY" in found.statement.digest_text for found in temporary.statements)
    assert 0.0 <= connections.idle_ratio <= 1.0
    assert connections.connects_per_second > 0
    for answer in (running, temporary, connections):
        assert list(answer.observation.limits) == []
