from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from libs.redaction.sql import normalise
from tests.unit.redaction.readings import hidden_somewhere

MARK = "zqj"
_PIECES = st.sampled_from(
    [
        *("'", '"', "`", "''", '""', "\\", "\\'", '\\"', "\\\\"),
        *(" ", "\n", ",", "(", ")", ".", "=", ";", "-", "@", "$$", "%", "?"),
        *("/*", "*/", "/*!", "/*!50000 ", "/*M!", "/*+", "--", "-- ", "#"),
        *("x", "N", "_utf8", "0x", "b", "1", "1e", "é", "\x00", "\x01"),
        *("SELECT ", " FROM ", " AND ", " IN ", " VALUES ", " NULL ", " LIKE "),
        *(MARK, f"{MARK} ", f" {MARK}", f"'{MARK}'", f'"{MARK}"', f"`{MARK}`"),
    ]
)
_TEXTS = st.lists(_PIECES, max_size=25).map("".join)


@settings(max_examples=500)
@given(_TEXTS)
@example("SELECT 'a\\' OR x = 'zqj'")
@example("/*! SELECT 'a*/zqj' */")
@example("'zqj'zqj'")
def test_what_any_reading_takes_for_a_string_or_a_comment_is_not_in_the_text(text: str) -> None:
    hidden = hidden_somewhere(text)
    marks = [found.start() for found in re.finditer(MARK, text)]
    shown = normalise(text).text.count(MARK)
    assert shown <= sum(not hidden[position] for position in marks)


_WORD = st.from_regex(rf"[a-z]{{0,4}}{MARK}[a-z ]{{0,6}}", fullmatch=True)
_HEX = MARK.encode().hex()
_LITERALS = st.one_of(
    _WORD.map(lambda word: f"'{word}'"),
    _WORD.map(lambda word: f'"{word}"'),
    _WORD.map(lambda word: f"N'{word}'"),
    _WORD.map(lambda word: f"_utf8mb4 '{word}'"),
    _WORD.map(lambda word: f"'it''s {word}'"),
    _WORD.map(lambda word: f"'it\\'s {word}'"),
    _WORD.map(lambda word: f"'C:\\\\{word}\\\\'"),
    _WORD.map(lambda word: f'\'{{"name": "{word}"}}\''),
    st.just(f"x'{_HEX}'"),
    st.just(f"0x{_HEX}"),
    st.integers(10**8, 10**12).map(lambda number: f"{number}7714"),
    st.floats(0.001, 1e9).map(lambda number: f"-{number}7714"),
)
_SHAPES = st.sampled_from(
    [
        "SELECT a, {} FROM t WHERE b = {} AND c LIKE {} -- {}\n ORDER BY a",
        "INSERT INTO s.t (a, b) VALUES ({}, {}), ({}, NULL) ON DUPLICATE KEY UPDATE a = {}",
        "UPDATE `t` SET a={}, b=CONCAT({},{}) WHERE id IN ({})",
        "SELECT /* {} */ JSON_EXTRACT(doc, {}) FROM t WHERE d > DATE_SUB(NOW(), INTERVAL {} DAY) LIMIT {}",
        "CALL p({}, {}, @v, {}); SELECT GET_LOCK({}, 5)",
        "ALTER TABLE t ADD c ENUM({}, {}) DEFAULT {} COMMENT {}",
        "CREATE USER zqj IDENTIFIED BY {} REQUIRE SUBJECT {} AND ISSUER {} WITH {}",
        "ALTER TABLE t PARTITION BY LIST (a) (PARTITION p VALUES IN ({}, {}), PARTITION q VALUES IN ({}, {}))",
        "XA START {}, {}, 1; LOAD DATA INFILE {} INTO TABLE t FIELDS TERMINATED BY {}",
    ]
)


@settings(max_examples=200)
@given(_SHAPES, st.tuples(_LITERALS, _LITERALS, _LITERALS, _LITERALS), st.floats(0, 1))
def test_no_literal_of_a_real_statement_is_left_wherever_it_is_cut(
    shape: str, literals: tuple[str, str, str, str], cut: float
) -> None:
    sql = shape.format(*literals)
    for text in (sql, sql[: int(len(sql) * cut)]):
        result = normalise(text).text
        assert MARK not in result
        assert _HEX not in result
        assert not re.search(r"\d{3}", result)


@settings(max_examples=100)
@given(_SHAPES, st.tuples(_LITERALS, _LITERALS, _LITERALS, _LITERALS))
def test_the_normal_form_of_a_real_statement_is_its_own_normal_form(
    shape: str, literals: tuple[str, str, str, str]
) -> None:
    once = normalise(shape.format(*literals))
    again = normalise(once.text)
    assert (again.text, again.digest, again.tables) == (once.text, once.digest, once.tables)


@given(st.text())
def test_any_text_is_taken(text: str) -> None:
    assert normalise(text).complete in (True, False)
