"""Work that the engine counts under no digest finds its way to a statement: procedures, and prepared statements."""

from __future__ import annotations

from typing import Any

import pytest

from services.shard.detectors.query_scans import lacks_index
from services.shard.mysql.prepared import PreparedTotals
from services.shard.mysql.programs import INSIDE, with_what_they_ran
from services.shard.mysql.statements import DIGEST_COUNTERS, FUNCTION, HANDLE, PROCEDURE
from services.shard.sampler.history import History, StatusSample
from services.shard.work.digest_window import DigestDelta
from services.shard.work.joined_rows import SCANNED, joined_rows
from storex.diagnostics.v1 import diagnostics_pb2, session_pb2

Row = dict[str, Any]


def row(digest: str | None, digest_text: str, schema: str | None = "shop", **counters: int) -> Row:
    names = {"schema_name": schema, "digest": digest, "digest_text": digest_text}
    return {**names, **dict.fromkeys(DIGEST_COUNTERS, 0), **counters}


def find(rows: list[Row], digest_text: str) -> Row:
    [found] = [one for one in rows if one["digest_text"] == digest_text]
    return found


@pytest.mark.parametrize(
    "call",
    [
        "CALL `find_order` (?)",
        "CALL find_order(?)",
        "call `shop` . `Find_Order` (...)",
        "CALL `find_order`",
    ],
)
def test_a_call_has_what_its_procedure_read(call: str) -> None:
    inside = row(PROCEDURE, "find_order", calls=4, rows_examined=900, no_index_used=4, total_picoseconds=7)
    [found] = with_what_they_ran([row("d1", call, calls=4, rows_examined=1, total_picoseconds=8), inside])
    assert (found["rows_examined"], found["no_index_used"], found[INSIDE]) == (900, 4, 1)
    assert (found["calls"], found["total_picoseconds"]) == (4, 8)


def test_of_several_the_one_that_calls_most_has_it_and_others_have_nothing_of_it() -> None:
    rows = [
        row("d1", "CALL `find_order` (?)", calls=2),
        row("d2", "CALL `find_order` (...)", calls=9),
        row("d3", "CALL `find_order` (?)", schema="other", calls=99),
        row("d4", "SELECT `find_order` FROM `t`", calls=99),
        row(None, "", schema=None, calls=3),
        row(PROCEDURE, "find_order", rows_examined=900),
        row(PROCEDURE, "never_called", rows_examined=7),
    ]
    found = with_what_they_ran(rows)
    assert [one["rows_examined"] for one in found] == [0, 900, 0, 0, 0]
    assert [INSIDE in one for one in found] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("statement", "schema", "rows"),
    [
        ("SELECT `beds_of` (?) ", "shop", 90_000),
        ("SELECT `id` FROM `t` WHERE `shop` . `beds_of` ( `id` ) > ?", "other", 90_000),
        ("SELECT `beds_of` (?) ", "other", 5),
        ("SELECT `beds_of` FROM `t`", "shop", 5),
    ],
)
def test_a_statement_has_what_the_function_read_that_it_calls(statement: str, schema: str, rows: int) -> None:
    inside = row(FUNCTION, "beds_of", rows_examined=90_000, no_index_used=4)
    [found] = with_what_they_ran([row("d1", statement, schema=schema, calls=4, rows_examined=5), inside])
    assert found["rows_examined"] == rows


def test_an_engine_that_counts_what_functions_read_counts_it_once() -> None:
    inside = row(FUNCTION, "beds_of", rows_examined=90_000, no_index_used=4)
    [found] = with_what_they_ran([row("d1", "SELECT `beds_of` (?)", calls=4, rows_examined=90_010), inside])
    assert (found["rows_examined"], found["no_index_used"]) == (90_010, 4)


TEXT = "SELECT note FROM orders WHERE id = ? AND kind = 'gift'"
SHOWN = "SELECT note FROM orders WHERE id = ? AND kind = ?"


def test_handles_of_one_statement_are_one_row_without_literals() -> None:
    statement = row("d1", "SELECT ?", calls=1)
    handles = [row(f"{HANDLE}{place}", TEXT, calls=10, rows_examined=100) for place in (1, 2)]
    rows = PreparedTotals().in_place_of_handles([statement, *handles])
    found = find(rows, SHOWN)
    assert len(rows) == 2
    assert (found["schema_name"], found["calls"], found["rows_examined"]) == ("shop", 20, 200)
    assert "gift" not in str(rows)


def test_a_handle_that_is_closed_takes_nothing_away() -> None:
    totals = PreparedTotals()
    totals.in_place_of_handles([row(f"{HANDLE}{place}", TEXT, calls=1_000) for place in (1, 2)])
    found = find(totals.in_place_of_handles([row(f"{HANDLE}2", TEXT, calls=1_005)]), SHOWN)
    assert found["calls"] == 2_005
    assert find(totals.in_place_of_handles([]), SHOWN)["calls"] == 2_005


def test_another_handle_in_the_same_place_counts_from_nothing() -> None:
    totals = PreparedTotals()
    totals.in_place_of_handles([row(f"{HANDLE}1", TEXT, calls=1_000)])
    assert find(totals.in_place_of_handles([row(f"{HANDLE}1", TEXT, calls=7)]), SHOWN)["calls"] == 1_007


def test_a_reading_that_comes_late_counts_nothing_twice() -> None:
    totals = PreparedTotals()
    for calls in (1_000, 1_020, 1_010, 1_030):
        rows = totals.in_place_of_handles([row(f"{HANDLE}1", TEXT, calls=calls)])
    assert find(rows, SHOWN)["calls"] == 1_030


def scan(digest_text: str, **changes: int) -> diagnostics_pb2.QueryStats:
    counted: dict[str, Any] = {"calls": 10, "rows_examined": 200_000, "rows_sent": 10, "unindexed_calls": 10}
    counted |= {"no_index_used": 10, **changes}
    tables = ["shop.b"] if " FROM b " in digest_text else []
    return diagnostics_pb2.QueryStats(
        tables=tables, statement=session_pb2.Statement(digest_text=digest_text), load=1.0, **counted
    )


@pytest.mark.parametrize(
    ("query", "lacks"),
    [
        (scan("CALL find_order(?)"), True),
        (scan("CALL find_order(?)", rows_sent=100_000), False),
        (scan("SELECT a FROM b ORDER BY c LIMIT ?"), True),
        (scan("SELECT a FROM b ORDER BY RAND() LIMIT ?"), False),
        (scan("SELECT a FROM b WHERE c = ? ORDER BY RAND() LIMIT ?"), True),
        (scan("SELECT a FROM b ORDER BY c LIMIT ? OFFSET ?", no_index_used=0), False),
        (scan("SELECT a FROM b ORDER BY c LIMIT ?, ...", no_index_used=0), False),
        (scan("SELECT a FROM b ORDER BY c LIMIT ? OFFSET ?"), True),
        (scan("SELECT a FROM b WHERE c = ? LIMIT ? OFFSET ?", no_index_used=0), True),
    ],
)
def test_what_no_index_would_spare_is_told_apart(query: diagnostics_pb2.QueryStats, lacks: bool) -> None:
    assert lacks_index(query) is lacks


def delta(digest: str, **counted: int) -> DigestDelta:
    return DigestDelta("shop", digest, "SELECT ?", {**dict.fromkeys(DIGEST_COUNTERS, 0), **counted})


def scanned(rows: float) -> History:
    """A server that read so many rows one after the other in ten seconds."""
    history = History()
    for at, value in ((10.0, 500.0), (20.0, 500.0 + rows)):
        history.add_status(StatusSample(at, {SCANNED: value}))
    return history


SECOND = 10**12


def test_what_no_statement_has_is_shared_among_joins_by_their_time() -> None:
    scan_alone = delta("scan", calls=5, rows_examined=100_000, full_scans=5, total_picoseconds=9 * SECOND)
    joins = [delta(f"join{n}", calls=2, full_joins=2, total_picoseconds=n * SECOND) for n in (1, 3)]
    found = joined_rows([scan_alone, *joins], scanned(500_000.0), since=10.0, seconds=10.0)
    assert found == {("shop", "join1"): 100_000, ("shop", "join3"): 300_000}


def test_a_join_that_takes_no_time_has_not_read_much() -> None:
    quick = delta("quick", calls=300, full_joins=300, total_picoseconds=SECOND // 10)
    found = joined_rows([quick], scanned(5_000_000.0), since=10.0, seconds=10.0)
    assert found == {("shop", "quick"): 100_000}


@pytest.mark.parametrize("history", [History(), scanned(0.0)])
def test_where_the_server_read_nothing_nothing_is_made_up(history: History) -> None:
    join = delta("join", calls=2, full_joins=2, total_picoseconds=SECOND)
    assert joined_rows([join], history, since=10.0, seconds=10.0) == {}
