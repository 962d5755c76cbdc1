"""Every incident on a real server of each kind: the server shows it, and is as it was when it has ended."""

from __future__ import annotations

import time
from typing import Any

import pytest

from libs.lab.incidents import INCIDENTS
from libs.lab.injection import Target
from libs.lab.observers import OBSERVERS
from libs.lab.run import bring_about
from libs.lab.server import sessions_in_state, status
from tests.integration.lab.symptoms import SYMPTOMS, digest_row, eventually

pytestmark = pytest.mark.engine

QUICK = {"lock.metadata", "lock.global_read", "lock.hot_row", "config.read_only", "capacity.auto_increment"}
"""Those that each run of the tests brings about; the others are for the long run."""

_LOCK_WAITS = "Innodb_row_lock_current_waits"


def _marked(incident_ids: list[str]) -> list[Any]:
    return [pytest.param(one, marks=() if one in QUICK else pytest.mark.slow) for one in incident_ids]


def _state(target: Target) -> dict[str, object]:
    """What an incident may change and has to leave as it found it."""
    administrator = target.administrator
    variables = dict(administrator.execute("SHOW GLOBAL VARIABLES"))
    for moving in ("gtid_", "timestamp", "last_", "rand_", "pseudo_"):
        variables = {name: value for name, value in variables.items() if moving not in name}
    return {
        "variables": variables,
        "accounts": sorted(administrator.execute("SELECT user, host FROM mysql.user")),
        "tables": sorted(
            administrator.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [target.database]
            )
        ),
    }


def test_every_fault_has_a_check() -> None:
    replication = {name for name in OBSERVERS if name.startswith("replication.")}
    assert set(SYMPTOMS) | replication == set(OBSERVERS)


@pytest.mark.parametrize("incident_id", _marked(list(SYMPTOMS)))
def test_the_server_shows_the_fault_and_nothing_of_it_stays(incident_id: str, target: Target) -> None:
    before = _state(target)
    with bring_about(incident_id, target) as running:
        assert running.truth.kind == incident_id
        assert running.truth.decisive
        SYMPTOMS[incident_id](target, running)
    assert _state(target) == before
    eventually(lambda: status(target.administrator, _LOCK_WAITS) == 0)
    assert target.workload is not None
    operations = target.workload.operations
    eventually(lambda: target.workload is not None and target.workload.operations > operations)


@pytest.mark.slow
@pytest.mark.parametrize("incident_id", [name for name in INCIDENTS if name.startswith(("two.", "herring."))])
def test_each_fault_of_a_mixture_is_there_and_in_its_truth(incident_id: str, target: Target) -> None:
    with bring_about(incident_id, target) as running:
        parts = {part for part in running.injection.parts if part in OBSERVERS}
        assert {fault.kind for fault in running.truth.faults} == parts
        assert len(parts) == (2 if incident_id.startswith("two.") else 1)
        assert len(running.injection.parts) == 2
        for fault in running.truth.faults:
            running.truth, running.injection, whole = fault, running.injection.parts[fault.kind], running.injection
            SYMPTOMS[fault.kind](target, running)
            running.injection = whole


CONTROLS = [name for name in INCIDENTS if name.startswith("healthy")]


@pytest.mark.parametrize(
    "incident_id", [pytest.param(one, marks=() if one == "healthy.loud" else pytest.mark.slow) for one in CONTROLS]
)
def test_nobody_waits_and_nobody_reads_whole_large_tables_on_a_healthy_server(incident_id: str, target: Target) -> None:
    before = _state(target)
    with bring_about(incident_id, target) as running:
        assert running.truth.unmet([]) == []
        time.sleep(0.2)
        ((began,),) = target.administrator.execute("SELECT NOW(6)")
        time.sleep(1)
        assert sessions_in_state(target.administrator, "Waiting for%") == 0
        eventually(lambda: status(target.administrator, _LOCK_WAITS) == 0)
        rows = target.administrator.execute(
            "SELECT digest_text FROM performance_schema.events_statements_summary_by_digest"
            " WHERE schema_name = %s AND sum_no_index_used > 0 AND sum_rows_examined > 1000 * count_star"
            " AND last_seen > %s",
            [target.database, began],
        )
        assert rows == []
        if incident_id in ("healthy.just_started", "healthy.cold_cache"):
            assert status(target.administrator, "Uptime") < 60
    assert _state(target) == before


@pytest.mark.slow
def test_the_join_was_cheap_before_its_plan_changed(target: Target) -> None:
    with bring_about("query.plan_regression", target) as running:
        row = digest_row(target, running)
        assert row["sum_rows_examined"] / row["count_star"] > 10_000
    with (
        target.administrator.connect(program="test", database=target.database) as connection,
        connection.cursor() as cursor,
    ):
        before = status(target.administrator, "Handler_read_rnd_next")
        cursor.execute(target.service.history.join, (7,))
        cursor.fetchall()
    assert status(target.administrator, "Handler_read_rnd_next") - before < 20_000
