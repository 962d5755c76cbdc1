"""When a client sends so much more that it is told, and what is told from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from services.shard.detectors.traffic_spike import detect
from services.shard.verdict.relations import explains
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, session_pb2
from storex.diagnostics.v1 import traffic_pb2 as t
from tests.unit.shard.findings import NOW, check_against_the_catalogue, check_prose, entities, limited, readings


def rate(now: float, before: float, *, lasted: float = 20.0, watched: float = 200.0) -> t.RateChange:
    return t.RateChange(
        per_second=now,
        earlier_per_second=before,
        increase_per_second=now - before,
        factor=now / before if before else 0.0,
        changed_at=timestamp(NOW - lasted),
        earlier_seconds=watched,
        lasted_seconds=lasted,
    )


def grown(now: float = 700.0, before: float = 40.0, **changes: float) -> t.ClientTraffic:
    return t.ClientTraffic(
        user="shop_app",
        program="basket",
        host="10.0.0.7",
        hosts=1,
        connections=14,
        earlier_connections=2,
        statements=rate(now, before, **changes),
    )


def calm(now: float = 30.0) -> t.ClientTraffic:
    return t.ClientTraffic(user="shop_app", program="checkout", connections=4, statements=rate(now, 30.0))


def digest(name: str, now: float, before: float, table: str = "shop.baskets") -> t.DigestTraffic:
    return t.DigestTraffic(
        statement=session_pb2.Statement(digest=name, digest_text="SELECT * FROM baskets WHERE id = ?"),
        tables=[table] if table else [],
        calls=rate(now, before),
        average_seconds=0.0004,
        earlier_average_seconds=0.0004,
    )


def answer_of(*clients: t.ClientTraffic, **fields: object) -> t.GetTrafficResponse:
    now = sum(client.statements.per_second for client in clients)
    before = sum(client.statements.earlier_per_second for client in clients)
    answer = t.GetTrafficResponse(
        window_seconds=10.0,
        watched_seconds=220.0,
        uptime_seconds=86_400.0,
        statements=rate(now, before),
        connections=sum(client.connections for client in clients),
        max_connections=200,
        clients=clients,
        digests=[digest("d0", 300.0, 5.0, ""), digest("d1", 300.0, 20.0), digest("d2", 12.0, 10.0)],
    )
    for name, value in fields.items():
        setattr(answer, name, value)
    return answer


def found(answer: t.GetTrafficResponse) -> list[finding_pb2.Finding]:
    return list(detect(readings(get_traffic=answer)).findings)


def test_who_sends_more_of_what_and_since_when() -> None:
    answer = answer_of(grown(), calm())
    [finding] = found(answer)
    check_against_the_catalogue(finding, {"get_traffic": answer})
    check_prose(finding)
    assert entities(finding) == {
        ("cause", "user"): ["shop_app"],
        ("cause", "host"): ["10.0.0.7"],
        ("cause", "program"): ["basket"],
        ("cause", "statement_digest"): ["d1"],
        ("affected", "table"): ["shop.baskets"],
    }
    assert finding.onset == timestamp(NOW - 20.0)
    assert finding.severity == finding_pb2.SEVERITY_WARNING
    assert "17.5 times" in finding.summary


def test_a_client_that_was_not_there_before() -> None:
    [finding] = found(answer_of(grown(before=0.0), calm()))
    assert "not there before" in finding.summary
    assert finding.confidence < 0.9


@pytest.mark.parametrize(
    "answer",
    [
        answer_of(grown(80.0, 5.0), calm()),
        answer_of(grown(700.0, 300.0), calm()),
        answer_of(grown(), t.ClientTraffic(user="other", statements=rate(9_000.0, 9_000.0))),
        answer_of(grown(watched=2.0), calm()),
        answer_of(grown(before=0.0), calm(), uptime_seconds=25.0),
    ],
    ids=["a little", "twice as much", "a small part of all", "hardly watched", "the server came back"],
)
def test_what_is_no_spike(answer: t.GetTrafficResponse) -> None:
    detection = detect(readings(get_traffic=answer))
    assert not detection.findings
    assert not detection.not_checked
    assert detection.reason


def test_a_rolling_deployment_or_another_account_sends_no_more_as_a_whole() -> None:
    answer = answer_of(grown(before=0.0), calm())
    answer.statements.CopyFrom(rate(740.0, 730.0))
    assert not found(answer)


def test_what_has_only_begun_is_looked_at_again() -> None:
    answer = answer_of(grown(lasted=2.0), calm())
    answer.statements.CopyFrom(rate(730.0, 70.0, lasted=2.0))
    detection = detect(readings(get_traffic=answer))
    assert not detection.findings
    assert detection.look_again > 0.0


def test_as_much_at_the_same_hour_of_other_days_is_usual() -> None:
    answer = answer_of(grown(), calm())
    answer.normal.CopyFrom(t.TrafficNormal(median_per_second=600.0, highest_per_second=900.0, same_hour=True, days=7))
    detection = detect(readings(get_traffic=answer))
    assert not detection.findings
    assert "usual" in detection.reason
    answer.normal.unusual = True
    assert found(answer)


def test_who_fails_tries_again() -> None:
    client = grown()
    client.failed_per_second = 500.0
    assert not found(answer_of(client, calm()))


def test_a_new_client_with_statements_of_its_own_is_told_when_it_keeps_the_server_busy() -> None:
    answer = answer_of(grown(before=0.0), calm())
    assert found(answer), "statements that others sent before"
    for one in answer.digests:
        one.is_new = True
    assert not found(answer)
    answer.digests[1].average_seconds = 0.02
    assert found(answer)


def test_many_connections_that_rest_are_too_many_connections() -> None:
    client = grown(220.0, 0.0)
    client.connections, client.earlier_connections = 110, 0
    answer = answer_of(client, calm(), max_connections=120)
    assert not found(answer)
    busy = grown(2_200.0, 0.0)
    busy.connections = 110
    [finding] = found(answer_of(busy, calm(), max_connections=120))
    assert finding.severity == finding_pb2.SEVERITY_CRITICAL


@pytest.mark.parametrize(
    "spoil",
    [
        lambda answer: setattr(answer, "window_seconds", 0.0),
        lambda answer: limited(answer, "process", "PRIVILEGE_MISSING"),
    ],
    ids=["not watched", "blind"],
)
def test_what_cannot_be_judged(spoil: Callable[[t.GetTrafficResponse], None]) -> None:
    answer = answer_of(grown(), calm())
    spoil(answer)
    assert detect(readings(get_traffic=answer)).not_checked
    assert detect(readings()).not_checked


def test_growth_by_estimate_is_told_and_not_called_a_spike() -> None:
    answer = answer_of(grown(), calm())
    limited(answer, "traffic", "TRAFFIC_ESTIMATED")
    detection = detect(readings(get_traffic=answer))
    assert (detection.not_checked, detection.findings) == (True, ())
    assert f"{answer.clients[0].statements.per_second:.0f} statements a second" in detection.reason
    quiet = answer_of(calm())
    limited(quiet, "traffic", "TRAFFIC_ESTIMATED")
    assert not detect(readings(get_traffic=quiet)).not_checked, "nobody sends more, by any count"


def test_one_statement_for_each_entry_of_a_list_explains_the_spike_of_that_statement() -> None:
    [spike] = found(answer_of(grown(), calm()))
    pages = finding_pb2.Finding(kind="traffic.n_plus_one")
    pages.entities.add(role="cause", type="statement_digest", value="d1")
    assert explains(pages, spike)
    assert not explains(spike, pages)
    assert explains(spike, finding_pb2.Finding(kind="connections.exhausted"))
