"""Statements that fail: what the collector makes of samples, and what a storm is told from."""

from __future__ import annotations

from typing import Any

import pytest

from libs.core.errors import StorexError
from services.shard.collectors.failing_statements import list_failing_statements
from services.shard.detectors.traffic_retry_storm import detect
from services.shard.mysql.connection import Row
from services.shard.mysql.features import Feature
from services.shard.mysql.statements import DIGEST_COUNTERS, Statement
from services.shard.sampler.history import DigestCounters, DigestSample, History, StatusSample
from services.shard.verdict.relations import explains
from services.shard.view import InstanceView
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import failures_pb2 as f
from storex.diagnostics.v1 import finding_pb2, session_pb2
from tests.clock import ManualClock
from tests.unit.shard.findings import check_against_the_catalogue, check_prose, entities, limited, readings
from tests.unit.shard.recorded import ALL, RecordedSource, process, view_of
from tests.unit.shard.test_traffic_spike import rate

# The collector


def counters(calls: float, errors: float) -> DigestCounters:
    found = dict.fromkeys(DIGEST_COUNTERS, 0) | {"calls": int(calls), "errors": int(errors)}
    return tuple(found[name] for name in DIGEST_COUNTERS)


def failed_row(connection_id: int, digest: str, code: int, failures: int = 10) -> Row:
    return {
        "connection_id": connection_id,
        "schema_name": "shop",
        "digest": digest,
        "error_number": code,
        "failures": failures,
    }


def watched(clock: ManualClock, samples: int = 30, since: int = 25) -> History:
    """A sample every two seconds: `good` always succeeds, `bad` fails 50 times a second from one of them on."""
    history = History()
    for number in range(samples):
        bad = 100.0 * max(0, number - since)
        sample = {("shop", "good"): counters(number * 20, 0), ("shop", "bad"): counters(bad, bad)}
        sample["mysql", "own"] = counters(number * 90, number * 90)
        history.add_digests(DigestSample(clock.monotonic() - 2.0 * (samples - 1 - number), sample))
    return history


def view(samples: int = 30, **source: Any) -> InstanceView:
    clock = ManualClock()
    rows: dict[Statement, list[Row]] = {
        Statement.FAILED_STATEMENTS: [
            failed_row(7, "bad", 1054),
            failed_row(8, "bad", 1054),
            failed_row(8, "bad", 1205, 1),
        ],
        Statement.PROCESSES: [process(7, user="shop"), process(8, user="shop"), process(9, user="shop")],
        Statement.PROGRAMS: [{"connection_id": number, "program": "consumer"} for number in (7, 8)],
    }
    seen = view_of(RecordedSource(rows, **source), clock, watched(clock, samples))
    seen.texts.of_engine("good", "SELECT * FROM `baskets` WHERE `id` = ?")
    seen.texts.of_engine("bad", "SELECT `slot` FROM `baskets` WHERE `id` = ?")
    seen.texts.of_engine("own", "SELECT * FROM `mysql` . `func`")
    return seen


async def test_what_fails_with_what_and_for_whom() -> None:
    answer = await list_failing_statements(view(), f.ListFailingStatementsRequest())
    [bad] = answer.statements
    assert (bad.statement.digest, bad.schema, list(bad.tables)) == ("bad", "shop", ["shop.baskets"])
    assert (bad.calls, bad.failed, bad.failed_ratio, bad.failed_per_second) == (300, 300, 1.0, 50.0)
    assert (bad.failures.per_second, bad.failures.earlier_per_second, bad.failures.lasted_seconds) == (50.0, 0.0, 8.0)
    assert [(error.error_code, error.seen) for error in bad.errors] == [(1054, 20), (1205, 1)]
    [client] = bad.clients
    assert (client.user, client.host, client.program) == ("shop", "10.0.0.7", "consumer")
    assert (client.seen, client.connections) == (21, 2)
    assert (answer.window_seconds, answer.calls, answer.failed) == (6.0, 360, 300)
    assert list(answer.observation.limits) == []


async def test_without_two_samples_it_says_so() -> None:
    for samples in (0, 1):
        answer = await list_failing_statements(view(samples), f.ListFailingStatementsRequest())
        assert [limit.code for limit in answer.observation.limits] == ["FAILURES_NOT_SAMPLED"]
        assert detect(readings(list_failing_statements=answer)).not_checked


async def test_without_the_last_statements_codes_and_clients_are_unknown() -> None:
    seen = view(available=ALL - {Feature.SESSION_STATEMENTS})
    answer = await list_failing_statements(seen, f.ListFailingStatementsRequest())
    assert (len(answer.statements), list(answer.statements[0].errors), list(answer.statements[0].clients)) == (
        1,
        [],
        [],
    )
    assert "STATEMENT_HISTORY_OFF" in {limit.code for limit in answer.observation.limits}
    [finding] = detect(readings(list_failing_statements=answer)).findings
    assert ("cause", "error_code") not in entities(finding)


async def test_without_digests_it_is_not_checked() -> None:
    answer = await list_failing_statements(
        view(available=ALL - {Feature.STATEMENT_DIGESTS}), f.ListFailingStatementsRequest()
    )
    assert detect(readings(list_failing_statements=answer)).not_checked


async def test_statements_that_are_not_counted_limit_the_answer() -> None:
    seen = view()
    lost = counters(40, 40)
    newest = seen.history.digests.pop()
    seen.history.add_digests(DigestSample(newest.at, {**newest.counters, ("", ""): lost}))
    for ago, executed in ((6.0, 0.0), (0.5, 300.0)):
        at = seen.clock.monotonic() - ago
        seen.history.add_status(StatusSample(at, {"Uptime": 900.0 - ago, "Com_stmt_execute": executed}))
    answer = await list_failing_statements(seen, f.ListFailingStatementsRequest())
    codes = [limit.code for limit in answer.observation.limits]
    assert codes == ["PREPARED_UNSEEN", "DIGEST_TABLE_FULL", "STATEMENTS_UNSEEN"]
    assert detect(readings(list_failing_statements=answer)).findings, "what is counted is told all the same"


async def test_a_statement_that_was_reset_counts_from_nothing() -> None:
    seen = view()
    newest = seen.history.digests.pop()
    reset = {("shop", "bad"): counters(90, 80), ("shop", "good"): counters(5, 0)}
    seen.history.add_digests(DigestSample(newest.at, reset))
    answer = await list_failing_statements(seen, f.ListFailingStatementsRequest())
    [bad] = answer.statements
    assert (bad.calls, bad.failed, answer.calls, answer.failed) == (90, 80, 95, 80)


async def test_a_window_out_of_bounds_is_refused() -> None:
    request = f.ListFailingStatementsRequest()
    request.window.FromSeconds(86_400)
    with pytest.raises(StorexError):
        await list_failing_statements(view(), request)


# The detector


def failing(per_second: float = 80.0, ratio: float = 1.0, code: int = 1054, **changes: Any) -> f.FailingStatement:
    fields: dict[str, Any] = {
        "statement": session_pb2.Statement(digest="d1", digest_text="SELECT slot FROM baskets WHERE id = ?"),
        "schema": "shop",
        "tables": ["shop.baskets"],
        "calls": round(per_second * 6 / ratio),
        "failed": round(per_second * 6),
        "failed_ratio": ratio,
        "failed_per_second": per_second,
        "failures": rate(per_second, 0.0),
        "errors": [f.StatementError(error_code=code, seen=30)] if code else [],
        "clients": [f.FailingClient(user="shop_app", host="10.0.0.7", program="consumer", seen=30, connections=3)],
    }
    return f.FailingStatement(**{**fields, **changes})


def answer_of(*statements: f.FailingStatement, other_calls: int = 600) -> f.ListFailingStatementsResponse:
    return f.ListFailingStatementsResponse(
        statements=statements,
        window_seconds=6.0,
        calls=other_calls + sum(one.calls for one in statements),
        failed=sum(one.failed for one in statements),
    )


def test_a_storm_names_statement_error_and_client() -> None:
    answer = answer_of(failing())
    [finding] = detect(readings(list_failing_statements=answer)).findings
    check_against_the_catalogue(finding, {"list_failing_statements": answer})
    check_prose(finding)
    assert entities(finding) == {
        ("cause", "statement_digest"): ["d1"],
        ("cause", "error_code"): ["1054"],
        ("cause", "user"): ["shop_app"],
        ("cause", "host"): ["10.0.0.7"],
        ("cause", "program"): ["consumer"],
        ("affected", "table"): ["shop.baskets"],
        ("affected", "schema"): ["shop"],
    }
    assert finding.HasField("onset")


@pytest.mark.parametrize(
    ("one", "other_calls"),
    [
        pytest.param(failing(per_second=9.0), 600, id="seldom"),
        pytest.param(failing(ratio=0.5), 600, id="mostly succeeds"),
        pytest.param(failing(), 60_000, id="little of what the server is sent"),
        pytest.param(failing(25.0, code=1062), 600, id="asks whether a row is there"),
        pytest.param(failing(90.0, code=1062, failures=rate(90.0, 80.0)), 600, id="always asked like this"),
        pytest.param(
            failing(
                25.0, code=0, statement=session_pb2.Statement(digest="d2", digest_text="INSERT INTO seen VALUES (?)")
            ),
            600,
            id="asks, as far as known",
        ),
    ],
)
def test_what_only_looks_like_a_storm(one: f.FailingStatement, other_calls: int) -> None:
    detection = detect(readings(list_failing_statements=answer_of(one, other_calls=other_calls)))
    assert (detection.findings, detection.not_checked) == ((), False)
    assert detection.reason


def test_many_more_duplicates_than_before_are_one() -> None:
    answer = answer_of(failing(400.0, code=1062, failures=rate(400.0, 20.0)))
    assert detect(readings(list_failing_statements=answer)).findings


def test_what_has_only_begun_is_looked_at_again() -> None:
    detection = detect(readings(list_failing_statements=answer_of(failing(failures=rate(80.0, 0.0, lasted=2.0)))))
    assert (detection.findings, detection.look_again) == ((), 1.0)


def test_different_errors_and_clients_are_not_named() -> None:
    several = [f.StatementError(error_code=code, seen=10) for code in (1054, 1146, 1364)]
    others = [f.FailingClient(user=user, seen=10) for user in ("a", "b", "c")]
    [finding] = detect(readings(list_failing_statements=answer_of(failing(errors=several, clients=others)))).findings
    assert not {("cause", "error_code"), ("cause", "user")} & set(entities(finding))


def test_nothing_read_is_not_checked() -> None:
    assert detect(readings()).not_checked
    blind = answer_of()
    limited(blind, "statement_digests", "STATEMENT_DIGESTS_OFF")
    assert detect(readings(list_failing_statements=blind)).not_checked


# What it belongs to


def storm(*parts: tuple[str, str, str]) -> finding_pb2.Finding:
    named = [entity_pb2.Entity(role=role, type=type_, value=value) for role, type_, value in parts]
    return finding_pb2.Finding(kind="traffic.retry_storm", entities=named)


@pytest.mark.parametrize(
    ("kind", "code", "belongs"),
    [
        ("lock.deadlock", "1213", True),
        ("lock.deadlock", "1054", False),
        ("lock.row_blocker", "1205", True),
        ("config.read_only", "1290", True),
        ("config.read_only", "1452", False),
        ("config.change", "1153", True),
        ("capacity.table_full", "1114", True),
        ("capacity.table_full", "", True),
        ("capacity.auto_increment", "167", True),
        ("lock.row_blocker", "", True),
        ("config.change", "", True),
        ("query.heavy_scan", "1205", False),
    ],
)
def test_what_makes_statements_fail_explains_a_storm_of_its_own_errors(kind: str, code: str, belongs: bool) -> None:
    table = ("affected", "table", "shop.baskets")
    cause = finding_pb2.Finding(kind=kind, entities=[entity_pb2.Entity(role="affected", type="table", value=table[2])])
    effect = storm(table, ("cause", "error_code", code)) if code else storm(table)
    assert explains(cause, effect) is belongs


@pytest.mark.parametrize(
    ("kind", "belongs"),
    [("lock.row_blocker", False), ("maintenance.ddl", False), ("config.change", False), ("config.read_only", True)],
)
def test_a_storm_whose_errors_nobody_named_has_to_be_on_the_same_table(kind: str, belongs: bool) -> None:
    cause = finding_pb2.Finding(kind=kind, entities=[entity_pb2.Entity(role="affected", type="table", value="shop.a")])
    assert explains(cause, storm(("affected", "table", "shop.baskets"))) is belongs


def test_a_full_table_explains_no_storm_on_another() -> None:
    cause = finding_pb2.Finding(kind="capacity.table_full")
    cause.entities.add(role="affected", type="table", value="shop.sessions")
    assert not explains(cause, storm(("affected", "table", "shop.baskets"), ("cause", "error_code", "1114")))
