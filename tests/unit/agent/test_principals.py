from __future__ import annotations

from services.agent.records import SUCCESS, Record
from services.agent.report.principals import principals_in
from storex.agent.v1.report_pb2 import Report
from storex.common.v1.options_pb2 import SENSITIVITY_PRINCIPAL
from storex.diagnostics.v1.diagnostics_pb2 import GetConnectionsResponse


def _recorded(*users: str) -> Record:
    answer = GetConnectionsResponse()
    for user in users:
        answer.groups.add(user=user, host="10.0.0.7", program="checkout")
    return Record("call_0_1", 0, "get_connections", "regions/r/instances/a", SUCCESS, answer)


def test_names_of_recorded_fields_that_stand_in_sentences_are_told() -> None:
    report = Report(answer="The largest owner is orders_app, from 10.0.0.7.")
    report.next_steps.add(text="Ask them.", command="KILL USER nightly-report")
    report.evidence.add(value="nightly-report", value_class=SENSITIVITY_PRINCIPAL)
    report.root_causes.add(kind="connections.leak", summary="orders_app leaks").entities.add(
        role="holder", type="table", value="shop.orders"
    )
    records = [_recorded("orders_app", "app", "other_app", "prn_0123456789ab")]
    assert principals_in(report, records) == ["10.0.0.7", "nightly-report", "orders_app"]


def test_a_part_of_a_word_is_no_name_and_neither_is_a_token() -> None:
    report = Report(answer="A token prn_0123456789ab, orders_app2 and checkout_v2.")
    assert not principals_in(report, [_recorded("orders_app", "prn_0123456789ab", "")])
