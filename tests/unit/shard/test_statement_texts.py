"""Statements under one digest, with the tables that they name."""

from __future__ import annotations

import pytest

from services.shard.work.statement_texts import StatementTexts


@pytest.mark.parametrize(
    ("printed", "tables"),
    [
        ("SELECT `id` , TYPE FROM EVENTS WHERE VALUE = ?", ("events",)),
        ("SELECT ID , TYPE FROM `shop` . STATUS WHERE VALUE = ? ", ("shop.status",)),
        ("SELECT `id` FROM SYSTEM_USER WHERE `email` = ?", ("user",)),
        ("SELECT `id` FROM `EVENTS`", ("EVENTS",)),
        ("SELECT `id` FROM `Orders` JOIN DATA ON `a` = `b`", ("Orders", "data")),
        ("SELECT SYSTEM_USER ( ) FROM `t`", ("t",)),
    ],
)
def test_a_table_called_by_a_word_of_sql_is_not_in_capitals(printed: str, tables: tuple[str, ...]) -> None:
    assert StatementTexts().of_engine("d1", printed).tables == tables


def test_what_a_client_sent_tells_how_the_name_is_written() -> None:
    texts = StatementTexts()
    texts.of_engine("d1", "SELECT `id` FROM EVENTS WHERE VALUE = ?")
    sent = texts.of_text("SELECT id FROM Events WHERE value = 7")
    assert (sent.digest, sent.tables) == ("d1", ("Events",))
    known = texts.get("d1")
    assert known is not None
    assert known.tables == ("Events",)


def test_a_table_called_user_is_matched_with_what_clients_send() -> None:
    texts = StatementTexts()
    texts.of_engine("d1", "SELECT `id` FROM SYSTEM_USER WHERE `email` = ?")
    assert texts.of_text("SELECT id FROM user WHERE email = 'x@y.z'").digest == "d1"
