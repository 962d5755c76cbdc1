from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import Message

from libs.sensitivity.paths import resolve_path
from services.agent.records import Record, Records
from services.agent.report import matching
from services.agent.report.draft import DraftCause, EntityClaim
from services.agent.report.verifier import VerifiedCause, verify
from storex.common.v1 import options_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from tests.unit.agent import answers
from tests.unit.agent.answers import HOLDER, NAME, VICTIMS
from tests.unit.agent.recorded import claimed, health_record, record


def _blocked(waits: d.GetLockWaitsResponse | None = None) -> list[Record]:
    return [
        health_record(answers.health(answers.blocker_finding())),
        record("get_lock_waits", waits if waits is not None else answers.lock_waits()),
    ]


def _verified(cause: DraftCause, records: list[Record]) -> VerifiedCause:
    verified, _ = verify(cause, Records(records))
    assert verified is not None
    return verified


@pytest.mark.parametrize(
    ("finding", "tool", "answer"),
    [
        (answers.blocker_finding(), "get_lock_waits", answers.lock_waits()),
        (answers.missing_index_finding(), "list_top_queries", answers.top_queries()),
        (answers.leak_finding(), "get_connections", answers.connections()),
    ],
)
def test_a_finding_that_the_reading_shows_is_confirmed_with_every_entity(
    finding: object, tool: str, answer: d.GetLockWaitsResponse
) -> None:
    cause = claimed(finding)  # type: ignore[arg-type]
    verified, strikes = verify(cause, Records([health_record(answers.health(finding)), record(tool, answer)]))  # type: ignore[arg-type]
    assert verified is not None
    assert verified.missing == []
    assert strikes == []
    assert verified.cause.entities == cause.entities


def test_holder_and_victim_swapped_is_never_confirmed() -> None:
    swapped = replace(
        claimed(answers.blocker_finding()),
        entities=(
            EntityClaim("holder", "connection_id", str(VICTIMS[0])),
            EntityClaim("victim", "connection_id", str(HOLDER)),
        ),
    )
    verified, strikes = verify(swapped, Records(_blocked()))
    assert verified is not None
    assert not verified.confirmed
    assert verified.cause.entities == ()
    assert len(strikes) == 2


def test_the_victims_owner_is_not_the_holders() -> None:
    cause = claimed(answers.blocker_finding())
    wrong = replace(cause, entities=(*cause.entities, EntityClaim("holder", "user", "orders_app")))
    verified, strikes = verify(wrong, Records(_blocked()))
    assert verified is not None
    assert verified.cause.values("holder", "user") == ("orders_batch",)
    assert [strike.claim for strike in strikes] == ["holder user orders_app"]


def test_an_invented_victim_is_struck_and_the_others_stay() -> None:
    cause = claimed(answers.blocker_finding(victims=(*VICTIMS, 999)))
    verified, strikes = verify(cause, Records(_blocked()))
    assert verified is not None
    assert verified.confirmed
    assert verified.cause.values("victim", "connection_id") == tuple(map(str, VICTIMS))
    assert ["999" in strike.claim for strike in strikes] == [True]


def test_a_part_that_the_catalogue_does_not_know_is_struck() -> None:
    cause = claimed(answers.blocker_finding())
    verified, strikes = verify(
        replace(cause, entities=(*cause.entities, EntityClaim("victim", "table", "shop.orders"))), Records(_blocked())
    )
    assert verified is not None
    assert [strike.claim for strike in strikes] == ["victim table"]


def test_a_finding_that_the_reading_no_longer_shows_is_only_likely() -> None:
    verified = _verified(claimed(answers.blocker_finding()), _blocked(d.GetLockWaitsResponse()))
    assert not verified.confirmed
    assert verified.cause.confidence <= 0.6


def test_a_finding_without_a_reading_is_only_likely() -> None:
    assert not _verified(claimed(answers.blocker_finding()), _blocked()[:1]).confirmed


def test_what_the_detectors_did_not_find_is_not_confirmed_however_well_it_fits() -> None:
    records = [health_record(answers.health()), record("get_lock_waits", answers.lock_waits())]
    verified = _verified(claimed(answers.blocker_finding()), records)
    assert verified.missing == ["the shard's detectors did not find it"]


def test_a_cause_that_nothing_shows_is_struck() -> None:
    verified, strikes = verify(claimed(answers.blocker_finding()), Records([health_record(answers.health())]))
    assert verified is None
    assert strikes[0].claim == f"lock.row_blocker on {NAME}"


def test_a_cause_of_another_instance_is_not_proved_by_this_one() -> None:
    other = replace(claimed(answers.blocker_finding()), name="regions/eu-west-1/instances/orders-2")
    assert verify(other, Records(_blocked()))[0] is None


def test_a_kind_outside_the_catalogue_is_struck() -> None:
    assert verify(DraftCause("lock.gremlins", NAME, 1.0, ()), Records(_blocked()))[0] is None


def test_the_rows_must_belong_to_the_blamed_statement() -> None:
    finding = answers.missing_index_finding("aaaa")  # it uses its index: no_index_used is 0
    records = [health_record(answers.health(finding)), record("list_top_queries", answers.top_queries())]
    assert not _verified(claimed(finding), records).confirmed


def test_of_two_programs_of_one_account_the_leaking_one_is_cited() -> None:
    records = [health_record(answers.health(answers.leak_finding())), record("get_connections", answers.connections())]
    verified = _verified(claimed(answers.leak_finding()), records)
    assert verified.confirmed
    assert {citation.path for citation in verified.citations} == {"groups[1].user", "groups[1].idle", "used_ratio"}


def test_a_required_entity_that_is_not_named_keeps_it_from_being_confirmed() -> None:
    cause = claimed(answers.blocker_finding())
    nameless = replace(cause, entities=tuple(e for e in cause.entities if e.role != "victim"))
    assert "victim connection_id is not known" in _verified(nameless, _blocked()).missing


def test_a_kind_without_required_evidence_is_likely_at_most() -> None:
    finding = answers.blocker_finding()
    finding.kind = "lock.metadata"
    assert not _verified(claimed(finding), [health_record(answers.health(finding))]).confirmed


def test_hundreds_of_victims_cost_little_more_each_than_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def counted(message: Message, path: str) -> tuple[str, options_pb2.Sensitivity.ValueType]:
        looked.append(path)
        return resolve_path(message, path)

    monkeypatch.setattr(matching, "resolve_path", counted)

    def looks_for(victims: tuple[int, ...]) -> int:
        looked.clear()
        finding = answers.blocker_finding(victims=victims)
        recorded = Records(
            [health_record(answers.health(finding)), record("get_lock_waits", answers.lock_waits(victims=victims))]
        )
        stands, struck = verify(claimed(finding), recorded)
        assert stands is not None
        assert stands.confirmed
        assert not struck
        return len(looked)

    assert looks_for(tuple(range(1000, 1400))) < 6 * looks_for(tuple(range(1000, 1100)))
