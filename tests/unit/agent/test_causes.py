"""What detectors find is confirmed by the answers that they found it in, and told with a chain and next steps."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.protobuf.message import Message

from libs.core.catalogue import CATALOGUE
from services.agent.records import Record
from services.agent.report.causes.registry import GUIDES
from services.shard.detectors.readings import Detection, Readings
from services.shard.detectors.registry import DETECTORS
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from tests.bench.incidents.grounds import Answer, unsupported, values_of
from tests.unit.agent import answers
from tests.unit.agent.recorded import claimed, health_record, record, report_on
from tests.unit.shard import test_capacity_and_replication as others
from tests.unit.shard import test_failing_statements as failing
from tests.unit.shard import test_lock_detectors as locks
from tests.unit.shard import test_maintenance as maintenance
from tests.unit.shard import test_redo_state as redo
from tests.unit.shard import test_traffic_spike as traffic
from tests.unit.shard import test_work_detectors as work
from tests.unit.shard.findings import readings

Answers = Mapping[str, Message]

_HISTORY, _PAGES = work.page_of_entries((600, 620), (1800, 1750))
CASES: dict[str, Readings] = {
    "lock.metadata": readings(get_lock_waits=locks.pile(d.LOCK_KIND_METADATA)),
    "lock.global_read": readings(get_lock_waits=locks.pile(d.LOCK_KIND_GLOBAL)),
    "lock.deadlock": readings(get_innodb_status=locks.monitor()),
    "lock.hot_row": locks.two_looks(locks.queue(7), locks.queue(8)),
    "lock.unindexed_write": readings(get_lock_waits=locks.greedy(), list_top_queries=locks.writes()),
    "query.plan_regression": readings(list_top_queries=work.changed(work.GOOD, work.BAD)),
    "query.temp_spill": readings(list_top_queries=work.answer_of(work.scan(temp_disk_tables=40))),
    "query.heavy_scan": readings(list_top_queries=work.answer_of(work.scan())),
    "traffic.n_plus_one": readings(_HISTORY, list_top_queries=_PAGES),
    "traffic.spike": readings(get_traffic=traffic.answer_of(traffic.grown())),
    "traffic.retry_storm": readings(list_failing_statements=failing.answer_of(failing.failing())),
    "connections.exhausted": readings(get_connections=work.full(100)),
    "innodb.purge_lag": readings(get_purge_state=others.purge()),
    "innodb.buffer_pool": readings(get_buffer_pool=others.pool()),
    "innodb.flush_per_commit": readings(get_commit_state=others.commits()),
    "innodb.redo_stall": readings(get_redo_state=redo.state()),
    "replication.stopped": readings(get_replication=others.channel(**others.HALTED)),
    "replication.error": readings(get_replication=others.channel(**others.BROKEN)),
    "replication.lag": readings(get_replication=others.channel(work=True, lag_seconds=40.0)),
    "capacity.auto_increment": readings(list_auto_increments=others.column(column="id", data_type="tinyint")),
    "capacity.table_full": readings(list_table_limits=others.table(engine="MEMORY")),
    "maintenance.ddl": readings(**maintenance.answers(get_lock_waits=maintenance.waits())),
    "access.auth_failed": readings(get_failed_logins=others.logins()),
}


def finding_of(kind: str) -> finding_pb2.Finding:
    [detector] = [one for one in DETECTORS if one.kind == kind]
    detection: Detection = detector.detect(CASES[kind])
    found = finding_pb2.Finding()
    found.CopyFrom(detection.findings[0])
    found.id = "f1"
    return found


def records_of(kind: str, without: str = "") -> list[Record]:
    finding = finding_of(kind)
    given = {tool: answer for tool, answer in CASES[kind].answers.items() if tool != without}
    records = [record("get_overview", answers.overview()), health_record(answers.health(finding))]
    return [*records, *(record(tool, answer) for tool, answer in given.items())]


def report_of(kind: str, without: str = "") -> report_pb2.Report:
    return report_on(records_of(kind, without), claimed(finding_of(kind)))


@pytest.mark.parametrize("kind", CASES)
def test_what_was_found_is_confirmed_and_told(kind: str) -> None:
    report = report_of(kind)
    assert list(report.struck) == []
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    [cause] = report.root_causes
    assert cause.kind == kind
    assert cause.summary
    assert report.causal_chain
    assert all(link.evidence_refs for link in report.causal_chain)
    risks = [step.risk for step in report.next_steps]
    assert risks == sorted(risks)
    assert any(step.risk > report_pb2.RISK_NONE for step in report.next_steps)
    assert GUIDES[kind].kind == kind


@pytest.mark.parametrize("without_evidence", [False, True])
@pytest.mark.parametrize("kind", CASES)
def test_every_claim_can_be_looked_up(kind: str, without_evidence: bool) -> None:
    without = CATALOGUE[kind].evidence[0].tool if without_evidence else ""
    recorded = [
        Answer(entry.call_id, entry.tool, entry.name, values_of(entry.message))
        for entry in records_of(kind, without)
        if entry.message is not None
    ]
    claims, problems = unsupported(report_of(kind, without), recorded)
    assert claims > 5
    assert problems == []


@pytest.mark.parametrize("kind", CASES)
def test_without_its_evidence_it_is_likely_at_most(kind: str) -> None:
    for tool in {required.tool for required in CATALOGUE[kind].evidence}:
        assert report_of(kind, without=tool).verdict == report_pb2.VERDICT_LIKELY


def test_a_metadata_wait_does_not_confirm_a_global_lock() -> None:
    finding = finding_of("lock.global_read")
    other = locks.pile(d.LOCK_KIND_METADATA)
    report = report_on([health_record(answers.health(finding)), record("get_lock_waits", other)], claimed(finding))
    assert report.verdict == report_pb2.VERDICT_LIKELY


def test_a_call_is_told_with_the_procedure_to_look_at(monkeypatch: pytest.MonkeyPatch) -> None:
    query = work.scan(unindexed_calls=20, no_index_used=20, rows_sent=9)
    query.statement.digest_text = "CALL `find bed`(?)"
    query.ClearField("tables")
    monkeypatch.setitem(CASES, "query.missing_index", readings(list_top_queries=work.answer_of(query)))
    report = report_of("query.missing_index")
    [cause] = report.root_causes
    assert cause.kind == "query.missing_index"
    assert next(step.command for step in report.next_steps) == f"SHOW CREATE PROCEDURE `{query.schema}`.`find bed`"
