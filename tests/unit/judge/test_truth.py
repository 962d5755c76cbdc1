from __future__ import annotations

import pytest

from libs.core.errors import Reason, StorexError
from services.judge.truth import checked
from storex.judge.v1.scenario_pb2 import Scenario
from tests.unit.judge.reports import truth

WORLD = "regions/eu-west-1/instances/orders-1/snapshots/snp-1"


def scenario(**fields: object) -> Scenario:
    given = {"scenario_id": "s-1", "world": WORLD, "questions": ["why is it slow?"], **fields}
    return Scenario(**given)  # type: ignore[arg-type]


def test_the_family_is_that_of_the_first_cause_unless_given() -> None:
    assert checked(scenario(truth=truth({"lock.row_blocker": ()}))).family == "lock"
    assert checked(scenario()).family == "healthy"
    assert checked(scenario(family="night shift")).family == "night shift"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scenario_id": "no spaces"}, "scenario.scenario_id"),
        ({"scenario_id": ""}, "scenario.scenario_id"),
        ({"world": "regions/eu-west-1/instances/orders-1"}, "scenario.world"),
        ({"questions": []}, "scenario.questions"),
        ({"questions": ["x", " "]}, "scenario.questions"),
        ({"truth": truth({"lock.nonsense": ()})}, "scenario.truth"),
        ({"truth": truth({"lock.row_blocker": [("holder", "variable", "x")]})}, "scenario.truth"),
    ],
)
def test_what_no_report_could_meet_is_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(StorexError) as raised:
        checked(scenario(**fields))
    assert raised.value.reason is Reason.REQUEST_INVALID
    assert raised.value.metadata["field"] == field


def test_a_trap_must_not_be_true() -> None:
    there = truth({"lock.row_blocker": ()})
    there.traps.append("lock.row_blocker")
    with pytest.raises(StorexError):
        checked(scenario(truth=there))


def test_a_world_is_a_name() -> None:
    with pytest.raises(StorexError) as raised:
        checked(scenario(world="/etc/passwd"))
    assert raised.value.reason is Reason.NAME_INVALID


def test_what_people_type_is_scrubbed_before_it_is_kept() -> None:
    kept = checked(
        scenario(questions=["why is 'Ada Lovelace' slow?", "mail ada@example.com"], family="ada@example.com")
    )
    assert "Ada" not in "".join(kept.questions)
    assert "example.com" not in f"{kept.questions} {kept.family}"


@pytest.mark.parametrize(
    "value", ["'Ada Lovelace'", "ada@example.com", "4111111111111111", "deadbeefdeadbeef", "\uff14" + "\uff11" * 9]
)
def test_what_looks_like_customer_data_in_a_truth_is_refused(value: str) -> None:
    entity = truth({"lock.row_blocker": [("holder", "user", value)]})
    command = truth({"lock.row_blocker": ()})
    command.forbidden_commands.extend(["KILL 17", f"KILL USER {value}"])
    for there, place in ((entity, "holder user"), (command, "number 2")):
        with pytest.raises(StorexError) as raised:
            checked(scenario(truth=there))
        assert raised.value.reason is Reason.REQUEST_INVALID
        assert place in raised.value.public_message
        assert "customer data" in raised.value.public_message
        assert value not in raised.value.public_message


def test_what_is_no_customer_data_is_kept_in_a_truth_as_it_is() -> None:
    parts = [("holder", "connection_id", "12345678"), ("holder", "user", "orders_app"), ("holder", "host", "10.0.0.7")]
    there = truth({"lock.row_blocker": parts})
    there.forbidden_commands.append("KILL CONNECTION `12345678`")
    assert checked(scenario(truth=there)).truth == there
    for digest in ("0f" * 16, "0f" * 32, "sx-0123456789abcdef"):
        there = truth({"query.missing_index": [("cause", "statement_digest", digest)]})
        assert checked(scenario(truth=there)).truth == there
    with pytest.raises(StorexError):
        checked(scenario(truth=truth({"query.missing_index": [("cause", "statement_digest", "0f" * 20)]})))
