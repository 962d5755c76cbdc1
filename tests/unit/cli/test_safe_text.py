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


def test_markup_in_data_is_text_on_a_markdown_page() -> None:
    assert markdown("[a](http://e) <b>*x*</b>\n# y") == ("\\[a\\]\\(http://e\\) \\<b\\>\\*x\\*\\</b\\>\\\\x0a\\# y")


@pytest.mark.parametrize(
    ("text", "code"),
    [("KILL 812", "`KILL 812`"), ("`t`", "`` `t` ``"), ("a``b", "```a``b```"), ("x\n`", "`` x\\x0a` ``")],
)
def test_inline_code_cannot_be_left(text: str, code: str) -> None:
    assert markdown_code(text) == code
