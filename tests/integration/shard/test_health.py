"""Health on real servers: each incident is found within seconds, a healthy server is clear, and gaps are told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from libs.lab.accounts import STOREX_USER, create_account, grants
from libs.lab.engines import RunningEngine, require_engines
from libs.lab.run import run
from services.shard.collectors.connections import get_connections
from services.shard.collectors.innodb_status import get_innodb_status
from services.shard.collectors.lock_waits import get_lock_waits
from services.shard.collectors.overview import get_overview
from services.shard.collectors.processes import list_processes
from services.shard.collectors.top_queries import list_top_queries
from services.shard.collectors.variables import list_variables
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from tests.integration.shard.conftest import PASSWORD, StartInstance
from tests.integration.shard.finding import health_when, not_clear

pytestmark = pytest.mark.engine

FOUND_WITHIN = 12.0
"""Seconds from the injection to a right finding; three would do on an idle machine."""


def unmet(health: diagnostics_pb2.InstanceHealth, incident: object) -> list[str]:
    """What a report that names the unexplained findings would get wrong."""
    explained = {effect for finding in health.findings for effect in finding.explains}
    roots = [finding for finding in health.findings if finding.id not in explained]
    causes = [(one.kind, [(part.role, part.type, part.value) for part in one.entities]) for one in roots]
    problems: list[str] = getattr(incident, "truth").unmet(causes)  # noqa: B009
    return problems


QUICK = ("lock.row_blocker", "lock.metadata", "lock.global_read", "query.missing_index", "connections.leak")
"""One of each way of finding; the others take longer to come about."""
LONGER = (
    "lock.deadlock",
    "lock.hot_row",
    "lock.unindexed_write",
    "query.plan_regression",
    "query.temp_spill",
    "query.heavy_scan",
    "traffic.n_plus_one",
    "connections.exhausted",
)


@pytest.mark.parametrize("incident_id", [*QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in LONGER)])
async def test_an_incident_is_found_and_nothing_else(
    incident_id: str, engine: RunningEngine, view: InstanceView
) -> None:
    await asyncio.sleep(1.5)  # a few samples of before
    incident = await asyncio.to_thread(
        run, incident_id, host=engine.host, port=engine.port, user=engine.user, password=engine.password
    )
    try:
        began = time.monotonic()
        health = await assess(view, {})
        while unmet(health, incident) and time.monotonic() - began < FOUND_WITHIN:
            await asyncio.sleep(0.3)
            health = await assess(view, {})
        assert unmet(health, incident) == []
        results = {check.kind: check.result for check in health.checks}
        assert results[incident_id] == finding_pb2.CHECK_RESULT_FOUND
        assert finding_pb2.CHECK_RESULT_NOT_CHECKED not in results.values()
    finally:
        await asyncio.to_thread(incident.stop)


async def test_an_incident_that_was_there_before_the_shard(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    with run(
        "lock.row_blocker", host=engine.host, port=engine.port, user=engine.user, password=engine.password
    ) as incident:
        await asyncio.sleep(1.0)
        health = await assess((await start_instance(engine)).view, {})
        assert unmet(health, incident) == []


async def test_a_healthy_server_under_load_is_clear(engine: RunningEngine, view: InstanceView) -> None:
    incident = await asyncio.to_thread(
        run, "healthy", host=engine.host, port=engine.port, user=engine.user, password=engine.password
    )
    try:
        # A rate needs two samples, which a busy machine takes late.
        health = await health_when(view, lambda seen: bool(seen.findings) or not not_clear(seen))
        for _ in range(4):
            assert [finding.summary for finding in health.findings] == []
            assert not_clear(health) == {}
            await asyncio.sleep(1)
            health = await assess(view, {})
        assert [finding.summary for finding in health.findings] == []
        assert list(health.observation.limits) == []
    finally:
        await asyncio.to_thread(incident.stop)


async def test_every_collector_answers_in_full(engine: RunningEngine, view: InstanceView) -> None:
    await asyncio.sleep(1.2)
    overview = await get_overview(view, diagnostics_pb2.GetOverviewRequest())
    assert (overview.engine, overview.version.partition("-")[0]) == (engine.kind, engine.version)
    assert overview.max_connections > 0
    assert overview.window_seconds > 0.5
    assert overview.queries_per_second > 0
    assert all(capability.available for capability in overview.capabilities)
    monitor = await get_innodb_status(view, diagnostics_pb2.GetInnodbStatusRequest())
    assert monitor.log_sequence_number >= monitor.last_checkpoint > 0
    assert monitor.buffer_pool_pages > monitor.free_pages > 0
    connections = await get_connections(view, diagnostics_pb2.GetConnectionsRequest())
    own = [group for group in connections.groups if group.user == STOREX_USER]
    assert [(group.program, group.host) for group in own] == [("storex", "127.0.0.1")]
    assert sum(group.total for group in connections.groups) == connections.current
    processes = await list_processes(view, diagnostics_pb2.ListProcessesRequest(include_idle=True))
    assert STOREX_USER in {session.user for session in processes.processes}
    variables = await list_variables(view, diagnostics_pb2.ListVariablesRequest(prefix="max_connections"))
    assert variables.variables[0].value == str(overview.max_connections)
    everything = await list_variables(view, diagnostics_pb2.ListVariablesRequest())
    assert str(engine.directory).encode() not in everything.SerializeToString()
    for answer in (overview, monitor, connections, processes, variables):
        assert list(answer.observation.limits) == []
        assert answer.observation.name == "regions/eu-west-1/instances/db-1"


async def test_the_window_of_top_queries_counts_what_ran_in_it(engine: RunningEngine, view: InstanceView) -> None:
    await asyncio.sleep(1.5)

    def work() -> None:
        with engine.connect(database="shop") as client, client.cursor() as cursor:
            for number in range(25):
                cursor.execute("SELECT total FROM carts WHERE id + 0 = %s", [number])

    await asyncio.to_thread(work)
    answer = await list_top_queries(view, diagnostics_pb2.ListTopQueriesRequest())
    [query] = [one for one in answer.queries if list(one.tables) == ["shop.carts"]]
    assert (query.calls, query.schema, query.rows_sent, query.no_index_used) == (25, "shop", 4, 25)
    assert query.rows_examined == 100
    assert query.load == pytest.approx(query.total_seconds / answer.window_seconds, abs=0.001)
    assert not [one for one in answer.queries if "information_schema" in one.statement.digest_text]


async def test_without_performance_schema(unobserved_engine: RunningEngine, start_instance: StartInstance) -> None:
    view = (await start_instance(unobserved_engine)).view

    def work() -> None:
        with unobserved_engine.connect(database="shop") as client, client.cursor() as cursor:
            cursor.execute("SELECT SLEEP(3) FROM carts WHERE id = 1")

    await asyncio.sleep(0.5)
    await asyncio.to_thread(work)
    top = await list_top_queries(view, diagnostics_pb2.ListTopQueriesRequest())
    assert {limit.code for limit in top.observation.limits} == {"PERFORMANCE_SCHEMA_OFF", "SAMPLED_ONLY"}
    [query] = top.queries
    assert list(query.tables) == ["shop.carts"]
    assert query.statement.digest.startswith("sx-")
    assert 1.5 <= query.total_seconds <= 5.0
    health = await assess(view, {})
    results = {check.kind: check.result for check in health.checks}
    assert results["query.missing_index"] == finding_pb2.CHECK_RESULT_NOT_CHECKED
    assert results["connections.leak"] == finding_pb2.CHECK_RESULT_CLEAR
    [off] = [limit for limit in health.observation.limits if limit.code == "PERFORMANCE_SCHEMA_OFF"]
    assert "performance_schema=ON" in off.remedy


async def test_without_privileges(engine: RunningEngine, start_instance: StartInstance) -> None:
    view = (await start_instance(engine, user="nobody")).view
    overview = await get_overview(view, diagnostics_pb2.GetOverviewRequest())
    assert overview.threads_connected > 0
    gaps = {(limit.source, limit.code): limit.remedy for limit in overview.observation.limits}
    assert "GRANT PROCESS" in gaps["process", "PRIVILEGE_MISSING"]
    assert "GRANT SELECT ON performance_schema" in gaps["performance_schema", "PRIVILEGE_MISSING"]
    health = await assess(view, {})
    made = {check.kind for check in health.checks if check.result != finding_pb2.CHECK_RESULT_NOT_CHECKED}
    by_counters = {"innodb.buffer_pool", "innodb.flush_per_commit", "innodb.redo_stall"}
    by_counters |= {"access.auth_failed"} if engine.kind == "MariaDB" else set()
    assert made <= {"config.read_only", "config.change"} | by_counters, "all else needs a privilege"
    assert not health.findings


async def test_without_the_process_privilege_what_it_shows_is_a_limit_that_names_it(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    kept = [grant.replace("PROCESS, ", "") for grant in grants(engine.kind)]
    with engine.connect() as administrator:
        create_account(administrator, "processless", PASSWORD, kept)
    view = (await start_instance(engine, user="processless")).view
    status = await get_innodb_status(view, diagnostics_pb2.GetInnodbStatusRequest())
    [limit] = [limit for limit in status.observation.limits if limit.code == "PRIVILEGE_MISSING"]
    assert "GRANT PROCESS ON *.*" in limit.remedy


async def test_a_privilege_that_was_revoked_meanwhile_is_named(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    with engine.connect() as administrator:
        create_account(administrator, "demoted", PASSWORD, grants(engine.kind))
    view = (await start_instance(engine, user="demoted")).view
    before = await get_innodb_status(view, diagnostics_pb2.GetInnodbStatusRequest())
    assert not before.observation.limits
    engine.execute("REVOKE PROCESS ON *.* FROM 'demoted'@'%'")
    with engine.connect() as administrator, administrator.cursor() as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'demoted'")
        for (connection_id,) in cursor.fetchall():
            cursor.execute("KILL %s", [connection_id])
    await asyncio.sleep(0.2)
    status = await get_innodb_status(view, diagnostics_pb2.GetInnodbStatusRequest())
    waits = await get_lock_waits(view, diagnostics_pb2.GetLockWaitsRequest())
    for answer in (status, waits):
        remedies = [limit.remedy for limit in answer.observation.limits if limit.code == "PRIVILEGE_MISSING"]
        assert [remedy for remedy in remedies if "GRANT PROCESS ON *.*" in remedy], remedies


async def test_one_missing_privilege_costs_only_its_own(engine: RunningEngine, start_instance: StartInstance) -> None:
    kept = [grant for grant in grants(engine.kind) if "performance_schema" not in grant]
    with engine.connect() as administrator:
        create_account(administrator, "halfblind", PASSWORD, kept)
    view = (await start_instance(engine, user="halfblind")).view
    await asyncio.sleep(1.5)
    health = await assess(view, {})
    results = {check.kind: check.result for check in health.checks}
    assert results["connections.leak"] == finding_pb2.CHECK_RESULT_CLEAR
    assert results["query.missing_index"] == finding_pb2.CHECK_RESULT_NOT_CHECKED
    gaps = {(limit.source, limit.code) for limit in health.observation.limits}
    assert ("performance_schema", "PRIVILEGE_MISSING") in gaps


async def test_a_wrong_password_is_a_limit_of_overview_and_health(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    view = (await start_instance(engine, password="not this one")).view
    health = await assess(view, {})
    overview = await get_overview(view, diagnostics_pb2.GetOverviewRequest())
    for answer in (health, overview):
        [limit] = answer.observation.limits
        assert limit.code == "DATABASE_ACCESS_DENIED"
        assert "password" in limit.remedy


async def test_a_server_that_is_down_is_a_limit_of_overview_and_health(
    tmp_path: Path, start_instance: StartInstance
) -> None:
    with require_engines()[0].start(tmp_path / "engine") as running:
        pass
    view = (await start_instance(running)).view
    health = await assess(view, {})
    [limit] = health.observation.limits
    assert limit.code == "DATABASE_UNREACHABLE"
    assert "Check that it runs" in limit.remedy
    assert {check.result for check in health.checks} == {finding_pb2.CHECK_RESULT_NOT_CHECKED}
