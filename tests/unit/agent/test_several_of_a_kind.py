"""Several causes of one kind on one instance: each is told, and none of them twice."""

from __future__ import annotations

from services.agent.reasoners.second_opinion import reconcile
from services.agent.records import Record, Records
from services.agent.report.draft import Draft, DraftCause
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import capacity_pb2, finding_pb2
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME, entity, observation
from tests.unit.agent.recorded import claimed, health_record, record, report_on

TABLES = ("shop.sessions", "shop.basket_cache")


def _full(table: str) -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id=f"full {table}",
        kind="capacity.table_full",
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.9,
        impact=2.0,
        summary=f"{table} is full.",
        entities=[entity("affected", "table", table)],
    )


def _full_records(*findings: finding_pb2.Finding) -> list[Record]:
    tables = [
        capacity_pb2.TableLimit(table=table, engine="MEMORY", used_ratio=1.0, full=True, failed_inserts=9, inserts=20)
        for table in TABLES
    ]
    limits = capacity_pb2.ListTableLimitsResponse(observation=observation(), tables=tables, window_seconds=60)
    return [health_record(answers.health(*findings)), record("list_table_limits", limits)]


def _tables(report: report_pb2.Report) -> list[str]:
    return [part.value for cause in report.root_causes for part in cause.entities]


def test_two_full_tables_are_two_causes_each_with_its_steps() -> None:
    findings = [_full(table) for table in TABLES]
    report = report_on(_full_records(*findings), *map(claimed, findings))
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert _tables(report) == list(TABLES)
    assert not report.struck
    commands = " ".join(step.command for step in report.next_steps)
    assert "`sessions`" in commands
    assert "`basket_cache`" in commands


def test_one_finding_claimed_twice_is_told_once() -> None:
    finding = _full(TABLES[0])
    bare = DraftCause("capacity.table_full", NAME, 0.9, ())
    report = report_on(_full_records(finding), claimed(finding), claimed(finding), bare)
    assert _tables(report) == [TABLES[0]]
    assert [strike.reason for strike in report.struck] == ["it is claimed already"] * 2


def test_without_a_finding_causes_are_told_apart_by_what_they_must_name() -> None:
    claims = [claimed(_full(table)) for table in (*TABLES, TABLES[0])]
    report = report_on(_full_records(), *claims)
    assert report.verdict == report_pb2.VERDICT_LIKELY
    assert _tables(report) == list(TABLES)
    assert [strike.reason for strike in report.struck] == ["it is claimed already"]


def _two_blockers() -> tuple[Records, list[finding_pb2.Finding]]:
    first, second = answers.blocker_finding(812, (901,)), answers.blocker_finding(700, (701,))
    second.id = "f9"
    waits, more = answers.lock_waits(812, (901,)), answers.lock_waits(700, (701,))
    waits.holders.extend(more.holders)
    waits.waiters.extend(more.waiters)
    records = [health_record(answers.health(first, second)), record("get_lock_waits", waits)]
    return Records(records), [first, second]


def _draft(*findings: finding_pb2.Finding) -> Draft:
    return Draft(causes=tuple(claimed(finding) for finding in findings))


def test_a_model_that_names_one_of_two_blockers_has_overlooked_the_other() -> None:
    records, (first, second) = _two_blockers()
    assert reconcile(_draft(first), _draft(first, second), records) is None
    assert reconcile(_draft(first, first), _draft(first, second), records) is None
    agreed = reconcile(_draft(second, first), _draft(first, second), records)
    assert agreed is not None
    assert len(agreed.causes) == 2


def test_a_blocker_that_only_the_model_sees_is_left_out_beside_a_confirmed_one() -> None:
    records, (first, second) = _two_blockers()
    agreed = reconcile(_draft(first, second), _draft(first), records)
    assert agreed is not None
    assert agreed.causes == (claimed(first),)
