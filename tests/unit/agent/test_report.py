from __future__ import annotations

from dataclasses import replace

from libs.core.catalogue import CATALOGUE
from libs.sensitivity.paths import resolve_path
from services.agent.loop.summary import summarise
from services.agent.records import DENIED, ERROR, Record, Records
from services.agent.report.draft import Aspect, Draft
from services.agent.report.writing import Circumstances, write_report
from storex.agent.v1 import report_pb2
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from tests.unit.agent import answers
from tests.unit.agent.answers import HOLDER, NAME, VICTIMS
from tests.unit.agent.recorded import claimed, health_record, record, report_on


def _blocked_records() -> list[Record]:
    return [
        record("get_overview", answers.overview()),
        health_record(answers.health(answers.blocker_finding())),
        record("get_lock_waits", answers.lock_waits()),
    ]


def _blocked() -> report_pb2.Report:
    return report_on(_blocked_records(), claimed(answers.blocker_finding()))


def test_a_row_blocker_is_reported_with_its_holder_victims_and_table() -> None:
    report = _blocked()
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    (cause,) = report.root_causes
    named = {(entity.role, entity.type, entity.value) for entity in cause.entities}
    assert named >= {
        ("holder", "connection_id", str(HOLDER)),
        ("holder", "user", "orders_batch"),
        ("holder", "host", "10.0.0.7"),
        ("holder", "program", "nightly-report"),
        ("affected", "table", "shop.orders"),
        ("affected", "index", "shop.orders.PRIMARY"),
        *(("victim", "connection_id", str(victim)) for victim in VICTIMS),
    }
    assert cause.summary == (
        "Connection 812 (user orders_batch, host 10.0.0.7, program nightly-report) holds row locks in shop.orders "
        "(index PRIMARY) and has been idle inside a transaction for 38 s; 3 sessions wait for it, the longest for 37 s."
    )
    assert len(report.causal_chain) == 3
    assert all(link.evidence_refs for link in report.causal_chain)
    assert {out.kind for out in report.ruled_out} == {"query.missing_index", "connections.leak"}
    assert all(out.reason for out in report.ruled_out)


def test_every_cited_value_stands_where_the_report_says() -> None:
    records = _blocked_records()
    report = report_on(records, claimed(answers.blocker_finding()))
    assert report.evidence
    assert report.ruled_out
    by_call = {entry.call_id: entry for entry in records}
    for evidence in (*report.evidence, *(out.evidence for out in report.ruled_out)):
        entry = by_call[evidence.call_id]
        assert entry.message is not None
        assert resolve_path(entry.message, evidence.path) == (evidence.value, evidence.value_class)
        assert evidence.statement
        assert (evidence.tool, evidence.name) == (entry.tool, NAME)
        assert evidence.observed_at == answers.OBSERVED
    cited = {position for cause in report.root_causes for position in cause.evidence_refs}
    assert cited == set(range(len(report.evidence)))


def test_evidence_statements_name_no_principal() -> None:
    statements = " ".join(evidence.statement for evidence in _blocked().evidence)
    for name in ("orders_batch", "10.0.0.7", "nightly-report"):
        assert name not in statements


def test_next_steps_are_ordered_by_risk_and_the_kill_says_what_to_look_at() -> None:
    report = _blocked()
    risks = [step.risk for step in report.next_steps]
    assert risks == sorted(risks)
    kill = next(step for step in report.next_steps if step.command == "KILL 812")
    assert kill.risk == report_pb2.RISK_MEDIUM
    assert "Before:" in kill.text
    assert "After:" in kill.text
    assert "1 changed row" in kill.text


def test_server_settings_are_only_proposed_to_the_engine_that_has_them() -> None:
    records = _blocked_records()
    records[0] = record("get_overview", answers.overview(engine="MySQL"))
    report = report_on(records, claimed(answers.blocker_finding()))
    assert not [step for step in report.next_steps if "idle_write_transaction" in step.command]


def test_a_missing_index_gets_explain_first_and_then_the_index() -> None:
    finding = answers.missing_index_finding()
    records = [health_record(answers.health(finding)), record("list_top_queries", answers.top_queries())]
    report = report_on(records, claimed(finding))
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert "50,000 rows read a call for 3 rows returned" in report.root_causes[0].summary
    assert [step.command for step in report.next_steps] == [
        "EXPLAIN SELECT `id` , `total` FROM `orders` WHERE `customer_email` = ? AND `placed_at` > ? "
        "ORDER BY `id` LIMIT ?",
        "SHOW INDEX FROM `shop`.`orders`",
        "CREATE INDEX `idx_orders_customer_email_placed_at` ON `shop`.`orders` (`customer_email`, `placed_at`) "
        "ALGORITHM=INPLACE LOCK=NONE",
    ]


def test_a_leak_names_the_client_and_quotes_it() -> None:
    finding = answers.leak_finding()
    records = [health_record(answers.health(finding)), record("get_connections", answers.connections())]
    report = report_on(records, claimed(finding))
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert "120 idle connections" in report.root_causes[0].summary
    assert "WHERE USER = 'users_app'" in report.next_steps[0].command


def test_a_token_in_place_of_a_principal_never_stands_in_a_command() -> None:
    finding, answer = answers.leak_finding(), answers.connections()
    finding.entities[0].value = answer.groups[1].user = "prn_0123456789ab"
    report = report_on([health_record(answers.health(finding)), record("get_connections", answer)], claimed(finding))
    assert report.root_causes[0].entities[0].value == "prn_0123456789ab"
    assert not [step for step in report.next_steps if "prn_" in step.command]
    [hidden] = [limit for limit in report.limits if limit.code == "PRINCIPALS_HIDDEN"]
    assert "someone on call can see them" in hidden.message
    assert not [limit for limit in _blocked().limits if limit.code == "PRINCIPALS_HIDDEN"]


def test_no_finding_and_every_check_made_is_healthy() -> None:
    report = report_on([health_record(answers.health())])
    assert report.verdict == report_pb2.VERDICT_HEALTHY
    assert not report.root_causes
    assert sorted(report.checked[0].kinds) == ["connections.leak", "lock.row_blocker", "query.missing_index"]
    assert "none of the 3 causes that were looked for" in report.answer


def test_no_finding_but_a_check_that_was_not_made_is_inconclusive() -> None:
    checks = (answers.check("lock.row_blocker"), answers.check("query.missing_index", "NOT_CHECKED"))
    report = report_on([health_record(answers.health(checks=checks))])
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    assert [(limit.source, limit.code) for limit in report.limits] == [("query.missing_index", "NOT_CHECKED")]
    assert [out.kind for out in report.ruled_out] == ["lock.row_blocker"]


def test_what_could_not_be_read_stands_under_limits_with_its_remedy() -> None:
    failed = Record(
        "call_1", 0, "get_health", NAME, ERROR, reason="DATABASE_ACCESS_DENIED",
        problem="The database refused Storex's account. Check its user and password in storex.yaml.",
    )  # fmt: skip
    report = report_on([failed])
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    (limit,) = report.limits
    assert limit.code == "DATABASE_ACCESS_DENIED"
    assert limit.message == "The database refused Storex's account."
    assert limit.remedy == "Check its user and password in storex.yaml."
    assert limit.name == ""
    assert report.answer.startswith("orders-1 refused Storex's account: check its user and password in storex.yaml.")


def _down() -> Record:
    checks = tuple(answers.check(kind, "NOT_CHECKED") for kind in ("lock.row_blocker", "query.missing_index"))
    health = answers.health(checks=checks)
    health.observation.limits.add(
        source="database", code="DATABASE_UNREACHABLE", message="The database does not accept connections.",
        remedy="Check that it runs.",
    )  # fmt: skip
    return health_record(health)


def test_a_database_that_is_down_is_the_first_thing_said() -> None:
    report = report_on([_down()])
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    assert report.answer == ("orders-1 does not accept connections: check that it runs. No cause could be established.")
    worded = report_on([_down()], draft=Draft(answer="I saw nothing."))
    assert worded.answer == "orders-1 does not accept connections: check that it runs. I saw nothing."


def test_a_call_counts_only_the_checks_that_were_made() -> None:
    assert summarise([_down()]) == "not checked: the database does not accept connections"
    some = answers.health(checks=(answers.check("lock.row_blocker"), answers.check("connections.leak", "NOT_CHECKED")))
    assert summarise([health_record(some)]) == ("nothing found by 1 check; 1 check could not be made: connections.leak")
    assert summarise([health_record(answers.health())]) == "nothing found by 3 checks"


def test_what_is_not_there_is_not_said_twice() -> None:
    health = answers.health(checks=(answers.check("query.missing_index", "NOT_CHECKED"),))
    health.observation.limits.add(code="PERFORMANCE_SCHEMA_OFF", message="No statement digests.", remedy="Set it.")
    assert "Limit: No statement digests. Set it." in report_on([health_record(health)]).answer


def test_limits_of_answers_are_kept_once_each() -> None:
    limit = entity_pb2.Limit(source="performance_schema", code="PERFORMANCE_SCHEMA_OFF", message="off", remedy="on")
    one, two = answers.health(), answers.overview()
    one.observation.limits.append(limit)
    two.observation.limits.append(limit)
    report = report_on([health_record(one), record("get_overview", two)])
    assert [entry.code for entry in report.limits] == ["PERFORMANCE_SCHEMA_OFF"]


def test_a_part_of_a_fleet_that_did_not_answer_keeps_the_rest_from_being_healthy() -> None:
    region = Record(
        "call_1", 0, "stream_health", "regions/us-east-1", ERROR, reason="SHARD_UNAVAILABLE", problem="Away."
    )
    answered = record("stream_health", d.StreamHealthResponse(health=answers.health()))
    report = report_on([answered, region])
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    assert [(limit.name, limit.code) for limit in report.limits] == [("regions/us-east-1", "SHARD_UNAVAILABLE")]
    assert {out.kind for out in report.ruled_out} >= {"lock.row_blocker"}


def test_a_denied_tool_does_not_hide_what_health_shows() -> None:
    denied = Record("call_9", 0, "get_overview", NAME, DENIED, reason="RPC_NOT_PERMITTED", problem="No. Ask.")
    report = report_on([*_blocked_records()[1:], denied], claimed(answers.blocker_finding()))
    assert report.verdict == report_pb2.VERDICT_CONFIRMED
    assert [limit.code for limit in report.limits] == ["RPC_NOT_PERMITTED"]


def test_what_the_cause_explains_goes_to_the_chain_and_is_put_aside() -> None:
    finding, consequence = answers.blocker_finding(), answers.missing_index_finding()
    finding.explains.append(consequence.id)
    records = [*_blocked_records()[:1], health_record(answers.health(finding, consequence)), _blocked_records()[2]]
    report = report_on(records, claimed(finding))
    assert report.causal_chain[-1].text.startswith("This explains: A statement on shop.orders")
    [out] = [out for out in report.ruled_out if out.kind == "query.missing_index"]
    assert out.evidence.value == consequence.summary


def test_a_report_rests_on_its_own_questions_records_only() -> None:
    earlier = [replace(entry, turn=0) for entry in _blocked_records()]
    now = replace(health_record(answers.health(answers.blocker_finding())), turn=1)
    about = Circumstances(NAME, "ses_1", "builtin", 1_900_000_001.0, turn=1)
    report = write_report(Draft((claimed(answers.blocker_finding()),)), Records([*earlier, now]), about)
    assert report.verdict == report_pb2.VERDICT_LIKELY


def test_follow_up_answers() -> None:
    cause = claimed(answers.blocker_finding())

    def answer(*aspects: Aspect, asked: str = "") -> str:
        draft = Draft((cause,), aspects=aspects, asked_about=asked, on_session=True)
        return report_on(_blocked_records(), draft=draft).answer

    assert "user orders_batch" in answer(Aspect.WHO)
    assert "table shop.orders" in answer(Aspect.WHAT)
    assert "KILL 812" in answer(Aspect.KILL, asked="812")
    assert answer(Aspect.KILL, asked="901").startswith("No: connection 901 is not the one")
    assert answer(Aspect.KILL).startswith("Yes, with care: connection 812 holds the locks")
    assert "41.0 s" not in answer(Aspect.WHEN)
    assert "began at" in answer(Aspect.WHEN)
    assert answer(Aspect.STEPS).startswith("1. ")
    both = answer(Aspect.WHO, Aspect.KILL)
    assert "user orders_batch" in both
    assert "KILL 812" in both


def test_a_long_roll_back_is_not_begun_without_a_word() -> None:
    waits = answers.lock_waits()
    waits.holders[0].transaction.rows_modified = 250_000
    draft = Draft((claimed(answers.blocker_finding()),), aspects=(Aspect.KILL,), on_session=True)
    report = report_on([*_blocked_records()[:2], record("get_lock_waits", waits)], draft=draft)
    assert report.answer.startswith("Not yet: connection 812 holds the locks, but has changed 250,000 rows")


def test_ending_a_session_is_not_advised_on_what_is_not_confirmed() -> None:
    draft = Draft((claimed(answers.blocker_finding()),), aspects=(Aspect.KILL,), on_session=True)
    report = report_on(_blocked_records()[:2], draft=draft)
    assert report.verdict == report_pb2.VERDICT_LIKELY
    assert report.answer.startswith("Not yet: ")
    assert "End nothing" in report.answer
    assert "KILL" not in report.answer


def test_what_is_asked_about_and_could_not_be_checked_is_told_once() -> None:
    checks = (answers.check("lock.row_blocker", "NOT_CHECKED"), answers.check("query.missing_index", "NOT_CHECKED"))
    records = [health_record(answers.health(checks=checks))]
    report = report_on(records, draft=Draft(asked_kinds=("lock.row_blocker",)))
    titles = [CATALOGUE[kind].title for kind in ("lock.row_blocker", "query.missing_index")]
    assert "What could not be checked of it: lock.row_blocker." in report.answer
    assert [report.answer.count(title) for title in titles] == [0, 1]
    assert [limit.source for limit in report.limits] == ["lock.row_blocker", "query.missing_index"]


def test_of_many_checks_that_could_not_be_made_the_first_are_named() -> None:
    kinds = ("lock.row_blocker", "query.missing_index", "connections.leak", "lock.metadata", "config.change")
    unmade = (answers.check(kind, "NOT_CHECKED") for kind in kinds)
    answer = answers.health(checks=(answers.check("lock.deadlock"), *unmade))
    said = summarise([health_record(answer)])
    assert said.endswith(
        "5 checks could not be made: lock.row_blocker, query.missing_index, connections.leak and 2 more"
    )
