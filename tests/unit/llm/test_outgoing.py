from __future__ import annotations

import json

import pytest

from libs.llm import Message, ToolCallRequest
from libs.llm.outgoing import customer_like


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("the row of bob.smith@example.org is locked", "email"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.abc", "token"),
        ("paid from DE89 3704 0044 0532 0130 00", "iban"),
        ("card 4111 1111 1111 1111", "card"),
        ("UPDATE cards SET number=4111111111111111", "card"),
        ("SELECT * FROM users WHERE name = 'Bob Smith'", "literal"),
        ("INSERT INTO users VALUES ('Bob', ?)", "literal"),
        ("WHERE city IN ('Utrecht')", "literal"),
        ("WHERE name LIKE 'Smi%'", "literal"),
        (json.dumps({"text": 'WHERE name = "Bob Smith"'}), "literal"),
    ],
)
def test_what_looks_like_customer_data_is_seen(text: str, kind: str) -> None:
    assert customer_like([Message("user", text)]) == kind
    call = ToolCallRequest("c1", "look", text)
    assert customer_like([Message("assistant", "", tool_calls=(call,))]) == kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT * FROM `users` WHERE `name` = ? AND total > ? AND id IN (...)",
        json.dumps({"rows_examined": "4111111111111111", "bytes": 4111111111111111, "trx_id": "421939475392104"}),
        "orders-1 waits for connection 812 since 2026-11-22T02:30:00Z on 10.0.0.7:3306",
        "user prn_0123456789ab holds shop.orders; digest sx-0123456789abcdef0123",
        "innodb_flush_log_at_trx_commit = 1, sql_mode = STRICT_TRANS_TABLES",
        "why is card [number] of [email] slow, where name = '[quoted]'",
        "It doesn't look like a lock; that isn't 'normal' here.",
        "GB00 NOT AN IBAN AT ALL 1234",
    ],
)
def test_figures_and_names_of_the_database_are_not(text: str) -> None:
    assert customer_like([Message("tool", text, call_id="c1")]) == ""
