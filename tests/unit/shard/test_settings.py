"""Settings that stop work: from counters and variables to findings, and nothing where nobody is hurt."""

from __future__ import annotations

from typing import Any

import pytest

from services.shard.collectors.read_only_state import get_read_only_state
from services.shard.collectors.variable_changes import list_variable_changes
from services.shard.detectors import config_change, config_read_only
from services.shard.detectors.readings import Detection
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import DIGEST_COUNTERS, Statement
from services.shard.sampler.history import DigestSample, History, StatusSample
from storex.diagnostics.v1 import finding_pb2, settings_pb2
from tests.clock import ManualClock
from tests.unit.shard.findings import NOW, check_against_the_catalogue, check_prose, limited, readings
from tests.unit.shard.recorded import RecordedSource, view_of


def named(**values: object) -> list[Row]:
    return [{"variable_name": name, "value": str(value)} for name, value in values.items()]


def sampled(clock: ManualClock, ago: float, **values: float) -> History:
    history = History()
    history.add_status(StatusSample(clock.monotonic() - ago, {"Uptime": 900.0, **values}))
    return history


def found(answer: Any, tool: str, detector: Any) -> finding_pb2.Finding | None:
    detection: Detection = detector.detect(readings(**{tool: answer}))
    if not detection.findings:
        assert detection.reason
        return None
    [finding] = detection.findings
    check_against_the_catalogue(finding, {tool: answer})
    check_prose(finding)
    return finding


async def test_a_server_that_refuses_writes_says_by_which_variable_and_how_many() -> None:
    clock = ManualClock()
    source = RecordedSource(
        {
            Statement.GLOBAL_VARIABLES: named(read_only="ON", super_read_only="OFF"),
            Statement.GLOBAL_STATUS: named(Uptime=910, Com_update=140, Com_insert=30, Handler_update=500),
            Statement.ENGINE_COUNTERS: named(error_1290=45),
        }
    )
    history = sampled(clock, 10.0, Com_update=100.0, Com_insert=20.0, Handler_update=500.0, error_1290=5.0)
    answer = await get_read_only_state(view_of(source, clock, history), settings_pb2.GetReadOnlyStateRequest())
    assert (answer.variable, answer.read_only, answer.is_replica) == ("read_only", True, False)
    assert (answer.write_statements, answer.failed_writes, answer.window_seconds) == (90, 40, 10.0)
    finding = found(answer, "get_read_only_state", config_read_only)
    assert finding is not None
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


async def test_without_counted_errors_failed_digests_tell_and_without_those_rows_that_stay_as_they_are() -> None:
    clock = ManualClock()
    source = RecordedSource(
        {
            Statement.GLOBAL_VARIABLES: named(read_only=1),
            Statement.GLOBAL_STATUS: named(
                Uptime=910, Com_update=140, Handler_update=500, Com_insert=9, Handler_write=9
            ),
        }
    )
    history = sampled(clock, 10.0, Com_update=100.0, Handler_update=500.0, Com_insert=0.0, Handler_write=0.0)
    view = view_of(source, clock, history)
    answer = await get_read_only_state(view, settings_pb2.GetReadOnlyStateRequest())
    assert (answer.write_statements, answer.failed_writes) == (49, 40)
    view.texts.of_engine("d", "UPDATE `carts` SET `total` = ? WHERE `id` = ?")
    calls, errors = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("errors")
    for at, value in ((-10.0, 0), (0.0, 12)):
        counters = tuple(value if n in (calls, errors) else 0 for n in range(len(DIGEST_COUNTERS)))
        history.add_digests(DigestSample(clock.monotonic() + at, {("shop", "d"): counters}))
    answer = await get_read_only_state(view, settings_pb2.GetReadOnlyStateRequest())
    assert (answer.write_statements, answer.failed_writes) == (49, 12)


@pytest.mark.parametrize(
    "changes",
    [
        {"read_only": False, "variable": ""},
        {"failed_writes": 0},
        {"failed_writes": 2},
        {"failed_writes": 30, "write_statements": 90_000},
        {"window_seconds": 0.0},
    ],
    ids=["writable", "nobody writes", "a mistake", "a few of very many", "not sampled"],
)
def test_a_server_nobody_is_hurt_by_is_clear(changes: dict[str, Any]) -> None:
    state = {
        "variable": "read_only",
        "read_only": True,
        "failed_writes": 40,
        "write_statements": 50,
        "window_seconds": 10.0,
        **changes,
    }
    answer = settings_pb2.GetReadOnlyStateResponse(**state)
    assert found(answer, "get_read_only_state", config_read_only) is None


def test_refusals_that_nothing_counts_are_not_called_clear() -> None:
    answer = settings_pb2.GetReadOnlyStateResponse(variable="read_only", read_only=True, window_seconds=10.0)
    limited(answer, "performance_schema", "PERFORMANCE_SCHEMA_OFF")
    assert config_read_only.detect(readings(get_read_only_state=answer)).not_checked
    answer.is_replica = True
    assert not config_read_only.detect(readings(get_read_only_state=answer)).not_checked


def test_writes_to_a_replica_are_a_warning() -> None:
    answer = settings_pb2.GetReadOnlyStateResponse(
        variable="read_only",
        read_only=True,
        is_replica=True,
        failed_writes=40,
        write_statements=50,
        window_seconds=10.0,
    )
    finding = found(answer, "get_read_only_state", config_read_only)
    assert finding is not None
    assert finding.severity == finding_pb2.SEVERITY_WARNING


async def test_a_changed_variable_carries_its_symptom_before_and_now() -> None:
    clock = ManualClock()
    setting = {"variable_name": "wait_timeout", "value": "2", "default_value": "28800", "set_seconds_ago": 20.0}
    free_text = {"variable_name": "init_connect", "value": "SELECT 'Ada'", "default_value": "", "set_seconds_ago": None}
    source = RecordedSource(
        {
            Statement.SETTINGS: [setting, free_text],
            Statement.GLOBAL_STATUS: named(Uptime=910, Aborted_clients=49),
        }
    )
    history = History()
    for ago, aborted in ((60.0, 1.0), (30.0, 4.0), (15.0, 40.0)):
        history.add_status(StatusSample(NOW - ago, {"Uptime": 900.0 - ago, "Aborted_clients": aborted}))
    answer = await list_variable_changes(view_of(source, clock, history), settings_pb2.ListVariableChangesRequest())
    timeout, connect = answer.changes
    assert (timeout.value, timeout.default_value, timeout.symptom) == ("2", "28800", "aborted_clients_per_second")
    assert (timeout.symptom_before, timeout.symptom_now, timeout.has_before) == (0.1, 0.6, True)
    assert (connect.variable, connect.value, connect.withheld) == ("init_connect", "", True)
    finding = found(answer, "list_variable_changes", config_change)
    assert finding is not None
    assert finding.onset.ToSeconds() == NOW - 20


async def test_what_storex_set_for_itself_is_no_change_but_does_not_hide_one() -> None:
    clock, history = ManualClock(), History()

    async def changes(name: str, value: str) -> list[settings_pb2.VariableChange]:
        setting = {"variable_name": name, "value": value, "default_value": None, "set_seconds_ago": 3.0}
        source = RecordedSource({Statement.SETTINGS: [{**setting, "set_by_storex": 1}]})
        view = view_of(source, clock, history)
        return list((await list_variable_changes(view, settings_pb2.ListVariableChangesRequest())).changes)

    assert await changes("max_execution_time", "0") == []
    [lowered] = await changes("max_execution_time", "50")
    assert (lowered.old_value, lowered.value, lowered.changed_at.ToSeconds()) == ("0", "50", NOW)
    assert await changes("max_execution_time", "50") == [lowered]
    assert await changes("wait_timeout", "600") == []
    history.settings.clear()
    assert await changes("max_execution_time", "30000") == [], "set in the server's configuration"
    [tight] = await changes("max_statement_time", "0.5")
    assert tight.value == "0.5"
    history.settings.clear()
    [unseen] = await changes("wait_timeout", "2")
    assert (unseen.old_value, unseen.HasField("changed_at")) == ("", False)


@pytest.mark.parametrize("known", [{"old_value": "0"}, {"default_value": "0.000000"}])
def test_a_limit_where_there_was_none_is_felt_whenever_that_was(known: dict[str, Any]) -> None:
    change = settings_pb2.VariableChange(
        variable="max_statement_time", value="0.5", symptom_now=2.0, has_before=True, symptom_before=1.5, **known
    )
    answer = settings_pb2.ListVariableChangesResponse(changes=[change], window_seconds=15.0)
    assert found(answer, "list_variable_changes", config_change) is not None


def test_what_nobody_saw_change_is_not_said_to_have_been_changed() -> None:
    known: dict[str, Any] = {"variable": "wait_timeout", "value": "2", "symptom_now": 2.0}
    changes = [settings_pb2.VariableChange(**known), settings_pb2.VariableChange(**known, old_value="28800")]
    answer = settings_pb2.ListVariableChangesResponse(changes=changes, window_seconds=15.0)
    unseen, seen = config_change.detect(readings(list_variable_changes=answer)).findings
    assert "wait_timeout is set to 2;" in unseen.summary
    assert "wait_timeout was changed from 28800 to 2;" in seen.summary


@pytest.mark.parametrize(("value", "is_found"), [("20", True), ("6000", False)])
def test_a_date_that_may_be_later_than_the_change_does_not_hide_what_nobody_would_set(
    value: str, is_found: bool
) -> None:
    change = settings_pb2.VariableChange(
        variable="wait_timeout", value=value, symptom_now=0.8, has_before=True, symptom_before=0.7
    )
    answer = settings_pb2.ListVariableChangesResponse(changes=[change], window_seconds=15.0)
    assert (found(answer, "list_variable_changes", config_change) is not None) is is_found


@pytest.mark.parametrize(
    "changes",
    [
        {"symptom_now": 0.1},
        {"symptom_before": 0.3},
        {"old_value": "1"},
        {"has_before": False, "value": "20000"},
        {"variable": "slow_query_log"},
    ],
    ids=["nobody feels it", "as before", "made roomier", "not tight", "harmless"],
)
def test_a_change_that_hurts_nobody_is_clear(changes: dict[str, Any]) -> None:
    change = {"variable": "wait_timeout", "old_value": "28800", "value": "2", "symptom_now": 0.8, "has_before": True}
    answer = settings_pb2.ListVariableChangesResponse(
        changes=[settings_pb2.VariableChange(**{**change, **changes})], window_seconds=15.0
    )
    assert found(answer, "list_variable_changes", config_change) is None


async def test_a_variable_that_was_not_among_those_set_before_was_set_since() -> None:
    clock, history = ManualClock(), History()
    for ago, errors in ((40.0, 0), (30.0, 0), (8.0, 6), (1.0, 27)):
        counters = tuple({**dict.fromkeys(DIGEST_COUNTERS, 0), "calls": 900, "errors": errors}.values())
        history.add_digests(DigestSample(NOW - ago, {("shop", "d1"): counters}))
        history.add_status(StatusSample(NOW - ago, {"Uptime": 900.0 - ago}))

    async def changes(*settings: Row) -> settings_pb2.ListVariableChangesResponse:
        source = RecordedSource({Statement.SETTINGS: list(settings), Statement.GLOBAL_STATUS: named(Uptime=900)})
        view = view_of(source, clock, history)
        return await list_variable_changes(view, settings_pb2.ListVariableChangesRequest())

    mode = {"variable_name": "sql_mode", "value": "STRICT_ALL_TABLES", "default_value": None, "set_seconds_ago": None}
    assert not (await changes()).changes
    history.settings_seen_at = NOW - 20.0
    answer = await changes({**mode, "set_by_storex": 0})
    [change] = answer.changes
    assert (change.changed_at.ToSeconds(), change.has_before) == (NOW, True)
    assert (change.symptom, change.symptom_before, change.symptom_now) == ("failed_statements_per_second", 0.0, 3.0)
    assert found(answer, "list_variable_changes", config_change) is not None


async def test_statements_that_fail_long_after_a_change_fail_for_another_reason() -> None:
    clock, history = ManualClock(), History()
    for ago, errors in ((80.0, 0), (70.0, 0), (50.0, 0), (35.0, 0), (8.0, 6), (1.0, 27)):
        counters = tuple({**dict.fromkeys(DIGEST_COUNTERS, 0), "calls": 900, "errors": errors}.values())
        history.add_digests(DigestSample(NOW - ago, {("shop", "d1"): counters}))
        history.add_status(StatusSample(NOW - ago, {"Uptime": 900.0 - ago}))
    mode = {"variable_name": "sql_mode", "value": "STRICT_ALL_TABLES", "default_value": None, "set_seconds_ago": 60.0}
    source = RecordedSource({Statement.SETTINGS: [mode], Statement.GLOBAL_STATUS: named(Uptime=900)})
    answer = await list_variable_changes(view_of(source, clock, history), settings_pb2.ListVariableChangesRequest())
    [change] = answer.changes
    assert (change.symptom_before, change.symptom_now) == (0.0, 0.0)
    assert found(answer, "list_variable_changes", config_change) is None
