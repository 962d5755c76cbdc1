"""The redo log: what the collector makes of either engine's counters, and when writes are held up by it."""

from __future__ import annotations

from typing import Any

import pytest

from services.shard.collectors.redo_state import get_redo_state
from services.shard.detectors.innodb_redo_stall import detect
from services.shard.mysql.connection import Row
from services.shard.mysql.statements import Statement
from services.shard.sampler.history import ActivitySample, History, RunningStatement, StatusSample
from services.shard.verdict.relations import explains
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import finding_pb2, innodb_pb2
from tests.clock import ManualClock
from tests.unit.shard.findings import check_against_the_catalogue, check_prose, entities, limited, readings
from tests.unit.shard.recorded import RecordedSource, view_of

MEBI = 1024 * 1024
MARIADB = {"Innodb_checkpoint_age": 12.0 * MEBI, "Innodb_checkpoint_max_age": 12.5 * MEBI}
MYSQL = {"Innodb_redo_log_logical_size": 6.0 * MEBI}


def running(text: str, connection: int, *, waits: bool = False) -> RunningStatement:
    return RunningStatement("shop", "d1", text, ("documents",), connection, 0.2, None, waits)


def watched(clock: ManualClock, values: dict[str, float]) -> History:
    """Six seconds in which 5 MiB of log were written a second, by two sessions; a third one waits for a lock."""
    history = History()
    for age in (6.0, 4.0, 2.0):
        at = clock.monotonic() - age
        written = 100.0 * MEBI - age * 5 * MEBI
        history.add_status(StatusSample(at, {"Uptime": 900.0, "Innodb_os_log_written": written, **values}))
        history.add_activity(
            ActivitySample(
                at,
                (
                    running("UPDATE documents SET body = ?", 7),
                    running("INSERT INTO documents VALUES (?)", 8),
                    running("UPDATE documents SET body = ?", 9, waits=True),
                    running("SELECT * FROM documents", 10),
                ),
            )
        )
    return history


async def read(values: dict[str, float], **variables: int) -> innodb_pb2.GetRedoStateResponse:
    clock = ManualClock()
    status = {"Uptime": 906.0, "Innodb_os_log_written": 100.0 * MEBI, **values}
    rows: dict[Statement, list[Row]] = {
        Statement.GLOBAL_STATUS: [{"variable_name": name, "value": str(value)} for name, value in status.items()],
        Statement.GLOBAL_VARIABLES: [{"variable_name": name, "value": str(value)} for name, value in variables.items()],
    }
    view = view_of(RecordedSource(rows), clock, watched(clock, values))
    return await get_redo_state(view, innodb_pb2.GetRedoStateRequest())


async def test_mariadb_tells_the_age_from_which_writers_wait() -> None:
    answer = await read(MARIADB, innodb_log_file_size=16 * MEBI)
    assert (answer.variable, answer.capacity_bytes) == ("innodb_log_file_size", 16 * MEBI)
    assert (answer.checkpoint_age_bytes, answer.limit_bytes) == (12 * MEBI, 12.5 * MEBI)
    assert (answer.used_ratio, answer.average_used_ratio) == (0.96, 0.96)
    assert (answer.write_bytes_per_second, answer.seconds_to_fill) == (5 * MEBI, 2.5)
    assert (answer.writing_sessions, answer.window_seconds) == (2.0, 6.0)
    assert list(answer.observation.limits) == []


async def test_on_mysql_it_follows_from_the_capacity() -> None:
    answer = await read(
        MYSQL, innodb_redo_log_capacity=8 * MEBI, innodb_page_size=16384, innodb_log_file_size=48 * MEBI
    )
    assert (answer.variable, answer.capacity_bytes) == ("innodb_redo_log_capacity", 8 * MEBI)
    assert answer.limit_bytes == 6_307_840
    assert answer.average_used_ratio == pytest.approx(6 * MEBI / 6_307_840, abs=1e-4)


async def test_an_engine_that_does_not_count_it_is_not_checked() -> None:
    answer = await read({}, innodb_log_file_size=48 * MEBI)
    assert [limit.code for limit in answer.observation.limits] == ["CHECKPOINT_AGE_UNKNOWN"]
    assert detect(readings(get_redo_state=answer)).not_checked


def state(**changes: Any) -> innodb_pb2.GetRedoStateResponse:
    fields: dict[str, Any] = {
        "variable": "innodb_redo_log_capacity",
        "capacity_bytes": 8 * MEBI,
        "checkpoint_age_bytes": 6 * MEBI,
        "limit_bytes": 6 * MEBI,
        "used_ratio": 1.0,
        "average_used_ratio": 0.95,
        "write_bytes_per_second": 2.0 * MEBI,
        "seconds_to_fill": 3.0,
        "writing_sessions": 3.5,
        "window_seconds": 6.0,
    }
    return innodb_pb2.GetRedoStateResponse(**{**fields, **changes})


def test_a_full_log_that_sessions_wait_for() -> None:
    answer = state()
    [finding] = detect(readings(get_redo_state=answer)).findings
    check_against_the_catalogue(finding, {"get_redo_state": answer})
    check_prose(finding)
    assert entities(finding) == {("cause", "variable"): ["innodb_redo_log_capacity"]}
    assert finding.severity == finding_pb2.SEVERITY_WARNING
    [worse] = detect(readings(get_redo_state=state(writing_sessions=20.0))).findings
    assert worse.severity == finding_pb2.SEVERITY_CRITICAL


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(state(average_used_ratio=0.5), id="half full"),
        pytest.param(state(seconds_to_fill=600.0), id="full as engines like it, and large enough"),
        pytest.param(state(write_bytes_per_second=0.0, seconds_to_fill=0.0), id="nothing is written"),
        pytest.param(state(writing_sessions=0.4), id="nobody is held up"),
        pytest.param(state(writing_sessions=1.2), id="a nightly load"),
    ],
)
def test_a_full_log_is_none_by_itself(answer: innodb_pb2.GetRedoStateResponse) -> None:
    detection = detect(readings(get_redo_state=answer))
    assert (detection.findings, detection.not_checked) == ((), False)
    assert detection.reason


async def test_what_the_server_does_itself_is_no_session_of_a_client() -> None:
    clock = ManualClock()
    history = watched(clock, MARIADB)
    history.track(clock.monotonic(), [(7, ("system user", "", ""), False, 3.0), (8, ("shop", "", ""), False, 3.0)])
    status = {"Uptime": 906.0, **MARIADB}
    rows = {Statement.GLOBAL_STATUS: [{"variable_name": name, "value": value} for name, value in status.items()]}
    view = view_of(RecordedSource(rows), clock, history)
    answer = await get_redo_state(view, innodb_pb2.GetRedoStateRequest())
    assert answer.writing_sessions == 1.0


async def test_without_its_size_it_is_not_known_how_full_the_log_is() -> None:
    answer = await read(MYSQL)
    assert (answer.limit_bytes, answer.used_ratio) == (0, 0.0)
    assert [limit.code for limit in answer.observation.limits] == ["CAPACITY_UNKNOWN"]
    detection = detect(readings(get_redo_state=answer))
    assert (detection.not_checked, detection.reason) == (True, "The size of the redo log could not be read.")


def test_a_full_log_whose_writers_cannot_be_seen_is_not_checked() -> None:
    blind, roomy = state(writing_sessions=0.0), state(writing_sessions=0.0, average_used_ratio=0.4)
    for answer in (blind, roomy):
        limited(answer, "process", "PRIVILEGE_MISSING")
    assert detect(readings(get_redo_state=blind)).not_checked
    assert not detect(readings(get_redo_state=roomy)).not_checked, "a log with room holds up nobody"


def test_what_was_not_read_or_not_sampled_is_not_checked() -> None:
    assert detect(readings()).not_checked
    unsampled = detect(readings(get_redo_state=state(window_seconds=0.0)))
    assert (unsampled.not_checked, unsampled.look_again) == (True, 1.0)


def test_a_change_of_the_size_is_told_as_the_stall() -> None:
    variable = entity_pb2.Entity(role="cause", type="variable", value="innodb_redo_log_capacity")
    stall = finding_pb2.Finding(kind="innodb.redo_stall", entities=[variable])
    assert explains(stall, finding_pb2.Finding(kind="config.change", entities=[variable]))
    other = entity_pb2.Entity(role="cause", type="variable", value="wait_timeout")
    assert not explains(stall, finding_pb2.Finding(kind="config.change", entities=[other]))
