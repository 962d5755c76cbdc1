from __future__ import annotations

from libs.sensitivity.classes import PRINCIPAL, PUBLIC, SCHEMA
from libs.sensitivity.model_view import ModelView
from storex.diagnostics.v1 import diagnostics_pb2


def _connections(user: str) -> diagnostics_pb2.GetConnectionsResponse:
    response = diagnostics_pb2.GetConnectionsResponse(current=5)
    response.groups.add(user=user, host="10.0.0.1", program="leaky", total=5)
    return response


def test_an_endpoint_sees_tokens_and_its_words_come_back_as_names() -> None:
    view = ModelView()
    shown = view.show(_connections("payments_rw"))
    assert "payments_rw" not in str(shown)
    assert shown.groups[0].total == 5
    words = f"{shown.groups[0].user} on {shown.groups[0].host}, not prn_000000000000"
    assert view.restore(words) == "payments_rw on 10.0.0.1, not prn_000000000000"


def test_names_in_questions_become_the_same_tokens() -> None:
    view = ModelView()
    token = view.show(_connections("payments_rw")).groups[0].user
    assert view.show_text("kill payments_rw's 812? mail a@example.com") == f"kill {token}'s 812? mail [email]"
    assert view.show_text("my_payments_rw_2") == "my_payments_rw_2"


def test_two_views_have_different_tokens() -> None:
    first, second = (ModelView().show(_connections("bob")).groups[0].user for _ in range(2))
    assert first != second


def test_an_endpoint_on_the_domains_list_sees_principals() -> None:
    view = ModelView({PUBLIC, SCHEMA, PRINCIPAL})
    assert view.show(_connections("bob")) == _connections("bob")
