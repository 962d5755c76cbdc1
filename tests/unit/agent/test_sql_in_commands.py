from __future__ import annotations

import pytest

from services.agent.report.causes.statement import index_columns
from services.agent.report.sql import connection_number, quoted_identifier, quoted_string


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("shop.orders", "`shop`.`orders`"),
        ("orders", "`orders`"),
        ("shop.or`ders; DROP TABLE x", "`shop`.`or``ders; DROP TABLE x`"),
        ("a.b.c", None),
        ("shop.", None),
        ("shop.or\nders", None),
    ],
)
def test_identifiers_are_quoted_or_left_out(name: str, quoted: str | None) -> None:
    assert quoted_identifier(name) == quoted


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("orders_app", "'orders_app'"),
        ("o'brien' OR 1=1 -- ", "'o''brien'' OR 1=1 -- '"),
        ("back\\slash", None),
        ("prn_0123456789ab", None),
        ("", None),
        ("new\nline", None),
    ],
)
def test_strings_are_quoted_or_left_out(value: str, quoted: str | None) -> None:
    assert quoted_string(value) == quoted


@pytest.mark.parametrize("value", ["0", "-1", "812; DROP", "٨١٢", "", "1" * 30])
def test_only_a_connection_id_can_be_killed(value: str) -> None:
    assert connection_number(value) is None
    assert connection_number("812") == "812"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT * FROM `orders` WHERE `customer_email` = ?", ["customer_email"]),
        ("SELECT * FROM orders WHERE a = ? AND b > ? AND c = ? LIMIT ?", ["a", "c", "b"]),
        ("SELECT * FROM orders o WHERE o.state IN (...) ORDER BY id", ["state"]),
        ("UPDATE orders SET total = ? WHERE ref = ?", ["ref"]),
        ("SELECT * FROM orders WHERE LOWER ( email ) = ?", []),
        ("SELECT * FROM orders WHERE a = ? OR b = ?", []),
        ("SELECT * FROM orders JOIN users ON u = v WHERE a = ?", []),
        ("SELECT * FROM orders WHERE a IN ( SELECT b FROM c WHERE d = ? )", []),
        ("SELECT * FROM orders", []),
        ("SELECT * FROM orders WHERE note LIKE ?", []),
    ],
)
def test_index_columns_come_from_plain_conditions_on_one_table(text: str, columns: list[str]) -> None:
    assert index_columns(text) == columns
