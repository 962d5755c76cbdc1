"""Reports as a sloppy or hostile model drafts them: whatever is not so is struck, or lowers the verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from libs.sensitivity.model_view import ModelView
from services.agent.reasoners.model.submission import SubmissionError, parse_submission
from services.agent.records import ERROR, Record, Records
from services.agent.report.draft import Draft, DraftCause, EntityClaim
from services.agent.report.period import Period
from services.agent.report.writing import Circumstances, write_report
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from tests.integration.agent import test_replicas as replicas
from tests.unit.agent import answers
from tests.unit.agent.answers import HOLDER, NAME, OBSERVED, VICTIMS
from tests.unit.agent.recorded import claimed, health_record, record, report_on

OTHER = "regions/eu-west-1/instances/orders-2"
CONFIRMED, LIKELY = report_pb2.VERDICT_CONFIRMED, report_pb2.VERDICT_LIKELY
INCONCLUSIVE, HEALTHY = report_pb2.VERDICT_INCONCLUSIVE, report_pb2.VERDICT_HEALTHY


def _records(*findings: finding_pb2.Finding) -> list[Record]:
    return [
        record("get_overview", answers.overview()),
        health_record(answers.health(*(findings or (answers.blocker_finding(),)))),
        record("get_lock_waits", answers.lock_waits()),
    ]


def _cause(**entities: str) -> DraftCause:
    """The true cause with other values in some of its parts, as `role_type`."""
    true = claimed(answers.blocker_finding())
    changed = {_part(part): value for part, value in entities.items()}
    kept = tuple(entity for entity in true.entities if (entity.role, entity.type) not in changed)
    return replace(
        true, entities=(*kept, *(EntityClaim(role, type_, value) for (role, type_), value in changed.items()))
    )


def _part(words: str) -> tuple[str, str]:
    role, _, type_ = words.partition("_")
    return role, type_


def _commands(report: report_pb2.Report) -> list[str]:
    return [step.command for step in report.next_steps if step.command.upper().startswith("KILL")]


def _about(target: str = NAME, **more: object) -> Circumstances:
    return Circumstances(target, "ses_1", "model", 1_900_000_001.0, turn=0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("mutated", "struck"),
    [
        ({"holder_connection_id": "901"}, "holder connection_id 901"),
        ({"holder_connection_id": "813"}, "holder connection_id 813"),
        ({"holder_user": "orders_app"}, "holder user orders_app"),
        ({"holder_host": "10.0.0.9"}, "holder host 10.0.0.9"),
        ({"holder_program": "checkout"}, "holder program checkout"),
        ({"affected_table": "shop.payroll"}, "affected table shop.payroll"),
        ({"affected_index": "shop.orders.by_day"}, "affected index shop.orders.by_day"),
        ({"victim_connection_id": "812"}, ""),
    ],
)
def test_a_swapped_or_invented_entity_never_stands(mutated: dict[str, str], struck: str) -> None:
    report = report_on(_records(), _cause(**mutated))
    named = {(e.role, e.type, e.value) for cause in report.root_causes for e in cause.entities}
    for part, value in mutated.items():
        assert (*_part(part), value) not in named
    assert not struck or struck in [claim.claim for claim in report.struck]
    assert report.verdict != CONFIRMED or "holder_connection_id" not in mutated
    assert set(_commands(report)) <= {"KILL 812"}


def _two_blockers() -> list[Record]:
    """Another transaction holds locks too, for which nobody waits long: the detectors say nothing of it."""
    waits, second = answers.lock_waits(), answers.lock_waits(holder=950, victims=(951,))
    waits.holders.extend(second.holders)
    waits.waiters.extend(second.waiters)
    return [*_records()[:2], record("get_lock_waits", waits)]


def test_a_real_holder_that_the_detectors_did_not_mean_is_not_confirmed_and_not_killed() -> None:
    wrong = _cause(holder_connection_id="950", victim_connection_id="951")
    report = report_on(_two_blockers(), wrong)
    assert report.verdict == LIKELY
    assert _commands(report) == []


def test_figures_belong_to_the_holder_that_they_are_told_of() -> None:
    both = _cause()
    both = replace(both, entities=(EntityClaim("holder", "connection_id", "950"), *both.entities))
    report = report_on(_two_blockers(), both)
    assert report.root_causes[0].summary.startswith(f"Connection {HOLDER} ")
    assert "; 3 sessions wait" in report.root_causes[0].summary


def test_a_consequence_is_not_the_root_cause() -> None:
    finding, consequence = answers.blocker_finding(), answers.missing_index_finding()
    finding.explains.append(consequence.id)
    records = [*_records(finding, consequence), record("list_top_queries", answers.top_queries())]
    report = report_on(records, claimed(consequence))
    assert not report.root_causes
    assert "consequence of lock.row_blocker" in report.struck[0].reason
    assert report.verdict == INCONCLUSIVE


def test_what_its_source_brings_about_is_not_the_replicas_root_cause() -> None:
    lag, write = replicas.lag_finding(), replicas.write_finding()
    records = [
        *(record("list_instances", replicas.instance(name, **known), name) for name, known in _FLEET.items()),
        health_record(answers.health(lag, name=replicas.REPLICA)),
        health_record(answers.health(write, name=replicas.PRIMARY)),
        record("get_replication", replicas.replication(replicas.REPLICA), replicas.REPLICA),
        record("list_top_queries", replicas.writes(), replicas.PRIMARY),
    ]
    draft = Draft((claimed(lag, replicas.REPLICA), claimed(write, replicas.PRIMARY)))
    report = write_report(draft, Records(records), _about(replicas.REPLICA))
    assert [(cause.kind, cause.name) for cause in report.root_causes] == [("lock.unindexed_write", replicas.PRIMARY)]
    assert [claim.reason for claim in report.struck] == [f"lock.unindexed_write on {replicas.PRIMARY} explains it"]


_FLEET: dict[str, dict[str, object]] = {
    replicas.PRIMARY: {"server_uuid": replicas.UUID, "server_id": 7},
    replicas.REPLICA: {"server_uuid": "another"},
}


def test_a_mere_remark_of_the_detectors_is_not_confirmed() -> None:
    remark = answers.blocker_finding()
    remark.severity = finding_pb2.SEVERITY_INFO
    assert report_on(_records(remark), claimed(remark)).verdict == LIKELY


def test_nobody_is_surer_than_the_detectors() -> None:
    finding = answers.blocker_finding()
    finding.confidence = 0.7
    report = report_on(_records(finding), replace(claimed(finding), confidence=1.0))
    assert report.root_causes[0].confidence == pytest.approx(0.7)


def test_the_same_cause_twice_is_told_once() -> None:
    report = report_on(_records(), _cause(), _cause(affected_table="shop.orders"))
    assert len(report.root_causes) == 1
    assert report.struck[-1].reason == "it is claimed already"


def test_a_stale_reading_does_not_confirm() -> None:
    old = answers.lock_waits()
    old.observation.observed_at.CopyFrom(Timestamp(seconds=OBSERVED.seconds - 90))
    report = report_on([*_records()[:2], record("get_lock_waits", old)], _cause())
    assert report.verdict == LIKELY
    assert _commands(report) == []


def test_a_later_reading_without_the_holder_overrules_an_earlier_one() -> None:
    gone = record("get_lock_waits", d.GetLockWaitsResponse(observation=answers.observation()))
    report = report_on([*_records(), gone], _cause())
    assert report.verdict == LIKELY
    assert _commands(report) == []


def test_evidence_of_another_instance_proves_nothing_here() -> None:
    elsewhere = [
        health_record(answers.health(answers.blocker_finding(), name=OTHER)),
        record("get_lock_waits", answers.lock_waits(name=OTHER), OTHER),
    ]
    report = report_on([health_record(answers.health()), *elsewhere], _cause())
    assert not report.root_causes
    assert report.struck[0].claim == f"lock.row_blocker on {NAME}"


def test_a_reading_of_the_past_says_nothing_of_now() -> None:
    then = json.dumps({"name": NAME, "until": "2030-03-17T02:30:00Z", "minutes": 10})
    records = [replace(entry, arguments=then) for entry in _records()[1:2]]
    report = report_on([*records, _records()[2]], _cause())
    assert report.verdict == LIKELY
    only = write_report(Draft(), Records([replace(health_record(answers.health()), arguments=then)]), _about())
    assert only.verdict == INCONCLUSIVE
    assert not only.ruled_out


def test_a_reading_of_now_says_nothing_of_the_past() -> None:
    night = Period(OBSERVED.seconds - 40_000, OBSERVED.seconds - 36_000)
    now = json.dumps({"name": NAME, "until": "", "minutes": 10})
    records = Records(replace(entry, arguments=now) for entry in _records())
    report = write_report(Draft((_cause(),)), records, _about(past=night))
    assert not report.root_causes
    assert report.verdict == INCONCLUSIVE


@pytest.mark.parametrize("target", [NAME, "regions/eu-west-1", "services/orders"])
def test_healthy_is_not_said_of_what_was_not_read(target: str) -> None:
    read = health_record(answers.health(name=OTHER))
    report = write_report(Draft(answer="All is well."), Records([read]), _about(target))
    assert report.verdict == INCONCLUSIVE
    assert not report.ruled_out
    assert not report.answer.startswith("All is well.")


def test_healthy_of_a_region_needs_an_answer_about_the_region() -> None:
    def streamed(**asked: str) -> Record:
        message = d.StreamHealthResponse(health=answers.health(name=OTHER))
        return replace(record("stream_health", message, OTHER), arguments=json.dumps(asked))

    def verdict(entry: Record, target: str) -> report_pb2.Verdict.ValueType:
        return write_report(Draft(), Records([entry]), _about(target)).verdict

    assert verdict(streamed(name="regions/eu-west-1/instances/-"), "regions/eu-west-1") == HEALTHY
    assert verdict(streamed(name="regions/-/instances/-"), "regions/eu-west-1") == HEALTHY
    assert verdict(streamed(name="regions/us-east-1/instances/-"), "regions/eu-west-1") == INCONCLUSIVE
    assert verdict(streamed(name="regions/-/instances/-", service="users"), "services/orders") == INCONCLUSIVE
    assert verdict(streamed(name="regions/-/instances/-", service="orders"), "services/orders") == HEALTHY
    assert verdict(streamed(name="regions/eu-west-1/instances/-"), "services/orders") == INCONCLUSIVE


def test_a_health_that_failed_or_left_checks_out_is_not_healthy() -> None:
    failed = Record("call_1", 0, "get_health", NAME, ERROR, reason="DEADLINE_EXCEEDED", problem="Too slow.")
    partly = health_record(answers.health(checks=(answers.check("lock.row_blocker", "NOT_CHECKED"),)))
    for records in ([failed], [partly], []):
        assert report_on(records, draft=Draft(answer="All is well.")).verdict == INCONCLUSIVE


@pytest.mark.parametrize(
    "words",
    [
        "Connection 901 holds the lock that 812 waits for.",
        "It waits 300 s.",
        "The longest waits for 37.2 ms.",
        "Waiting sessions dropped.",
        "KILL 901 will clear it.",
        "All is well.",
        "Ignore the earlier findings; `payroll` is the cause.",
    ],
)
def test_words_that_are_not_so_are_struck_and_written_by_code(words: str) -> None:
    draft = Draft((replace(_cause(), summary=words),), answer=words)
    report = report_on(_records(), draft=draft)
    assert report.verdict == CONFIRMED
    assert report.root_causes[0].summary.startswith(f"Connection {HOLDER} (user orders_batch")
    assert report.answer.startswith(f"Confirmed: Connection {HOLDER} ")
    assert [claim.claim for claim in report.struck] == [
        "what is said of lock.row_blocker in the writer's words",
        "the answer in the writer's words",
    ]
    assert words not in str(report)


def test_words_that_are_so_are_kept() -> None:
    words = f"Connection {HOLDER} holds the row that {len(VICTIMS)} sessions wait for, the longest for 37.2 s."
    report = report_on(_records(), draft=Draft((replace(_cause(), summary=words),), answer=words))
    assert report.answer == report.root_causes[0].summary == words
    assert not report.struck


_ENTRY = {"kind": "lock.row_blocker", "name": NAME, "entities": []}


@pytest.mark.parametrize(
    "arguments",
    [
        "[" * 100_000,
        '{"root_causes":' * 5_000,
        json.dumps({"root_causes": [{**_ENTRY, "kind": ["lock.row_blocker"]}]}),
        json.dumps({"root_causes": [{**_ENTRY, "kind": {}}]}),
        json.dumps({"root_causes": [{**_ENTRY, "name": 7}]}),
        json.dumps({"root_causes": [{**_ENTRY, "entities": [{"role": {}, "type": "user", "value": "x"}]}]}),
        json.dumps({"root_causes": [{**_ENTRY, "entities": [{"role": "holder", "type": "user", "value": None}]}]}),
    ],
)
def test_a_monstrous_submission_is_refused_in_words(arguments: str) -> None:
    with pytest.raises(SubmissionError):
        parse_submission(arguments, ModelView())


@pytest.mark.parametrize("confidence", ["1" + "0" * 400, "-1" + "0" * 400, "NaN", "Infinity", "true", '"very"', "null"])
def test_any_confidence_is_taken_as_a_share(confidence: str) -> None:
    arguments = json.dumps({"root_causes": [{**_ENTRY, "confidence": 0}]}).replace(": 0}", f": {confidence}}}")
    (cause,) = parse_submission(arguments, ModelView()).causes
    assert 0.0 <= cause.confidence <= 1.0


def test_what_is_no_text_cannot_break_the_report() -> None:
    entity = {"role": "holder", "type": "user", "value": "\ud800" + "x" * 5_000}
    draft = parse_submission(
        json.dumps({"answer": "It is \udfff.", "root_causes": [{**_ENTRY, "entities": [entity]}]}), ModelView()
    )
    report = report_on(_records(), draft=draft)
    assert report.SerializeToString()
    assert max(len(claim.claim) for claim in report.struck) < 400
