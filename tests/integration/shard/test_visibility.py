"""What real servers do not show, what Storex says that costs, and that its remedies mend it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from libs.lab.accounts import STOREX_USER, create_account, grants
from libs.lab.engines import EngineBinary, RunningEngine, require_engines
from services.shard.collectors.overview import get_overview
from services.shard.collectors.visibility import get_visibility
from services.shard.facts.growth import SHORTEST_WINDOW
from services.shard.sight.costs import PERFORMANCE_SCHEMA, cost_of
from services.shard.verdict.health import assess
from services.shard.view import InstanceView
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from storex.diagnostics.v1.visibility_pb2 import (
    CONDITION_RESULT_FAILED,
    CONDITION_RESULT_GOOD,
    CONDITION_RESULT_WARNING,
    BlindSpot,
    GetVisibilityRequest,
    GetVisibilityResponse,
)
from tests.integration.shard.conftest import PASSWORD, StartInstance, prepare

pytestmark = pytest.mark.engine

OFF = {
    "STATEMENT_DIGESTS_OFF": "setup_consumers SET enabled = 'NO' WHERE name = 'statements_digest'",
    "STATEMENT_HISTORY_OFF": "setup_consumers SET enabled = 'NO' WHERE name = 'events_statements_current'",
    "INSTRUMENTATION_OFF": "setup_consumers SET enabled = 'NO' WHERE name = 'thread_instrumentation'",
    "METADATA_LOCK_INSTRUMENT_OFF": "setup_instruments SET enabled = 'NO' WHERE name = 'wait/lock/metadata/sql/mdl'",
    "STATEMENT_INSTRUMENTS_OFF": "setup_instruments SET enabled = 'NO' WHERE name = 'statement/sql/select'",
    "LOG_INSTRUMENTS_OFF": "setup_instruments SET enabled = 'NO' WHERE name = 'wait/io/file/sql/binlog'",
    "SESSIONS_NOT_INSTRUMENTED": "setup_actors SET enabled = 'NO' WHERE host = '%' AND user = '%'",
}
"""How to blind a server, by the code that tells of it."""
HIDES_ALL = ("STATEMENT_DIGESTS_OFF", "INSTRUMENTATION_OFF")
"""What leaves nothing of what it hides to be seen; the others leave a part."""
WITHOUT = {
    "process": "PROCESS",
    "tables": "REFERENCES|SHOW VIEW",
    "performance_schema": "SELECT ON performance_schema.*",
    "replication": "MONITOR|REPLICATION CLIENT",
    "table_sizes": "SELECT ON mysql.innodb_table_stats",
}
"""The privilege whose absence each source of a blind spot stands for."""


def spots(answer: GetVisibilityResponse) -> dict[str, BlindSpot]:
    """By code, but for what no server shows without being told to."""
    return {spot.code: spot for spot in answer.blind_spots if spot.code != "USERSTAT_OFF"}


async def look(view: InstanceView) -> GetVisibilityResponse:
    return await get_visibility(view, GetVisibilityRequest())


def mend(engine: RunningEngine, spot: BlindSpot, account: str = "") -> None:
    engine.execute(spot.remedies[0].statement.replace("<account>", account))


@contextlib.contextmanager
def account_with(engine: RunningEngine, *privileges: str) -> Iterator[str]:
    with engine.connect() as administrator:
        create_account(administrator, "partial", PASSWORD, privileges)
    try:
        yield "partial"
    finally:
        engine.execute("DROP USER partial")


async def test_a_server_that_shows_everything_has_no_blind_spot(view: InstanceView, engine: RunningEngine) -> None:
    answer = await look(view)
    assert spots(answer) == {}
    assert {condition.subject: condition.result for condition in answer.conditions} == dict.fromkeys(
        ("reachability", "account", "privileges", "clock", "replication"), CONDITION_RESULT_GOOD
    )
    assert (answer.engine, answer.account) == (engine.kind, f"'{STOREX_USER}'@'%'")
    assert not answer.observation.limits


@pytest.mark.parametrize("code", OFF)
async def test_what_is_switched_off_is_told_and_mended_as_told(
    view: InstanceView, engine: RunningEngine, code: str
) -> None:
    too_soon = unchecked(await assess(view, {}))
    engine.execute(f"UPDATE performance_schema.{OFF[code]}")
    try:
        blind = spots(await look(view))
        missing = unchecked(await assess(view, {})) - too_soon
    finally:
        spot = blind[code]
        mend(engine, spot)
    assert list(blind) == [code]
    assert spot.blind_causes or spot.weaker_causes
    assert missing <= {*spot.blind_causes, *(spot.weaker_causes if code not in HIDES_ALL else ())}
    assert spots(await look(view)) == {}


async def test_a_switch_that_is_missing_is_put_back_by_the_remedy(view: InstanceView, engine: RunningEngine) -> None:
    engine.execute("TRUNCATE performance_schema.setup_actors")
    blind = spots(await look(view))
    mend(engine, blind["SESSIONS_NOT_INSTRUMENTED"])
    assert spots(await look(view)) == {}


async def test_innodb_counters_that_are_off_are_told_and_mended(view: InstanceView, engine: RunningEngine) -> None:
    engine.execute("SET GLOBAL innodb_monitor_disable = 'trx_rseg_history_len'")
    blind = spots(await look(view))
    mend(engine, blind["INNODB_MONITOR_OFF"])
    assert spots(await look(view)) == {}


@pytest.mark.parametrize("source", WITHOUT)
async def test_each_missing_privilege_is_told_with_the_grant_that_mends_it(
    engine: RunningEngine, start_instance: StartInstance, source: str
) -> None:
    missing = WITHOUT[source].split("|")
    kept = []
    for grant in grants(engine.kind):
        privileges, _, scope = grant.partition(" ON ")
        words = [word for word in privileges.split(", ") if not any(m in (word, grant) or m in word for m in missing)]
        if words:
            kept.append(f"{', '.join(words)} ON {scope}")
    with account_with(engine, *kept) as user:
        view = (await start_instance(engine, user=user)).view
        answer = await look(view)
        found = [spot for spot in answer.blind_spots if spot.code == "PRIVILEGE_MISSING"]
        assert [spot.source for spot in found] == [source]
        mend(engine, found[0], answer.account)
        assert not [spot for spot in (await look(view)).blind_spots if spot.code == "PRIVILEGE_MISSING"]


async def test_an_account_that_may_write_is_a_warning(engine: RunningEngine, start_instance: StartInstance) -> None:
    wide = (*grants(engine.kind), "INSERT, SUPER ON *.*", "DELETE ON shop.*")
    with account_with(engine, *wide) as user:
        view = (await start_instance(engine, user=user)).view
        answer = await look(view)
        [privileges] = [one for one in answer.conditions if one.subject == "privileges"]
        assert privileges.result == CONDITION_RESULT_WARNING
        assert "DELETE, INSERT, SUPER" in privileges.message
        assert "shop" not in str(answer.conditions)
        engine.execute(privileges.remedies[0].statement.replace("<account>", answer.account))
        engine.execute("REVOKE DELETE ON shop.* FROM partial")
        assert {one.result for one in (await look(view)).conditions} == {CONDITION_RESULT_GOOD}


async def test_without_the_performance_schema_all_that_it_shows_is_blind(
    unobserved_engine: RunningEngine, start_instance: StartInstance
) -> None:
    answer = await look((await start_instance(unobserved_engine)).view)
    spot = spots(answer)["PERFORMANCE_SCHEMA_OFF"]
    assert "query.missing_index" in spot.blind_causes
    assert spot.remedies[0].needs_restart
    assert "performance_schema=ON" in spot.remedies[0].configuration


async def test_an_account_that_is_not_let_in_is_told_from_a_server_that_is_gone(
    engine: RunningEngine, start_instance: StartInstance
) -> None:
    answer = await look((await start_instance(engine, password="another")).view)
    results = {condition.subject: condition.result for condition in answer.conditions}
    assert results == {"reachability": CONDITION_RESULT_GOOD, "account": CONDITION_RESULT_FAILED}
    assert [limit.code for limit in answer.observation.limits] == ["DATABASE_ACCESS_DENIED"]


async def test_the_overview_has_the_blind_spots(view: InstanceView, engine: RunningEngine) -> None:
    answer = await get_overview(view, diagnostics_pb2.GetOverviewRequest())
    assert {spot.code for spot in answer.blind_spots} == ({"USERSTAT_OFF"} if engine.kind == "MariaDB" else set())


@pytest.mark.parametrize("binary", require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
async def test_a_full_table_of_digests_is_told(
    binary: EngineBinary, tmp_path: Path, start_instance: StartInstance
) -> None:
    with binary.start(tmp_path / "engine", options=["--performance-schema-digests-size=150"]) as running:
        prepare(running)
        for number in range(160):
            running.execute(f"SELECT id AS column_{number} FROM shop.carts")
        view = (await start_instance(running)).view
        spot = spots(await look(view))["DIGEST_TABLE_FULL"]
        assert spot.remedies[1].configuration == ["performance_schema_digests_size=10000"]
        mend(running, spot)
        assert "DIGEST_TABLE_FULL" not in spots(await look(view))


@pytest.mark.slow
@pytest.mark.parametrize("binary", require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
async def test_what_health_could_not_check_is_what_the_blind_spots_cost(
    binary: EngineBinary, tmp_path: Path, start_instance: StartInstance
) -> None:
    """The costs are written by hand: here they are compared with what the detectors come to."""
    with binary.start(tmp_path / "engine", performance_schema=False) as running:
        prepare(running)
        view = (await start_instance(running)).view
        missing = unchecked(await rates_known(view))
        assert missing <= set(cost_of(PERFORMANCE_SCHEMA, binary.kind).blind_causes)
    with binary.start(tmp_path / "watched") as running:
        prepare(running)
        for missing_grant in (*grants(binary.kind), ""):
            with account_with(running, *(grant for grant in grants(binary.kind) if grant != missing_grant)) as user:
                view = (await start_instance(running, user=user)).view
                answer = await look(view)
                blind = {cause for spot in answer.blind_spots for cause in spot.blind_causes}
                assert unchecked(await rates_known(view)) <= blind, missing_grant


async def rates_known(view: InstanceView) -> diagnostics_pb2.InstanceHealth:
    """The health once samples are so old that rates are known: what is too early to tell is no blind spot."""
    history = view.history
    for _ in range(150):
        if len(history.clients) > 1 and view.clock.monotonic() - history.status[0].at >= SHORTEST_WINDOW:
            break
        await asyncio.sleep(0.1)
    return await assess(view, {})


def unchecked(health: diagnostics_pb2.InstanceHealth) -> set[str]:
    return {check.kind for check in health.checks if check.result == finding_pb2.CHECK_RESULT_NOT_CHECKED}
