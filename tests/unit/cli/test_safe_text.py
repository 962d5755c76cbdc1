from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from libs.cli.safe_text import markdown, markdown_code, plain, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("orders-1", "orders-1"),
        ("größe 数据 ✓", "größe 数据 ✓"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"),
        ("\u202eevil\u200b", "\\u202eevil\\u200b"),
        ("\x9b2J\x7f", "\\x9b2J\\x7f"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
    ],
)
def test_characters_that_steer_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    shown = visible(text)
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in shown)
    shown.encode("utf-8")


def test_markup_in_data_is_text_to_the_console() -> None:
    out = io.StringIO()
    Console(file=out, width=200, force_terminal=False).print(plain("[red]x[/red] [link=http://e]y[/link] :boom:\nz"))
    assert out.getvalue() == "[red]x[/red] [link=http://e]y[/link] :boom:\nz\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a](http://e) <b>*x*</b>\n# y", "\\[a\\](http:&#47;&#47;e) \\<b\\>\\*x\\*\\</b\\>\\\\x0a# y"),
        ("# head", "\\# head"),
        ("- item", "\\- item"),
        ("=== rule", "\\=== rule"),
        ("1. item", "1\\. item"),
        ("a | b", "a \\| b"),
        ("_it_ __x__", "\\_it\\_ \\_\\_x\\_\\_"),
        ("![i](x)", "\\!\\[i\\](x)"),
        ("&lt;", "\\&lt;"),
        ("see www.example.org", "see www&#46;example.org"),
    ],
)
def test_markup_in_data_is_text_on_a_markdown_page(text: str, shown: str) -> None:
    assert markdown(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Connection 812 (user orders_app, host 10.0.0.7) holds row locks in shop.order_lines; 3 sessions wait.",
        "regions/eu-west-1/instances/orders-1: tmp_table_size was 16,777,216 (normal), at 02:30 - 100 % more!",
    ],
)
def test_ordinary_sentences_stay_as_they_are(text: str) -> None:
    assert markdown(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [("KILL 812", "`KILL 812`"), ("`t`", "`` `t` ``"), ("a``b", "```a``b```"), ("x\n`", "`` x\\x0a` ``")],
)
def test_inline_code_cannot_be_left(text: str, code: str) -> None:
    assert markdown_code(text) == code
