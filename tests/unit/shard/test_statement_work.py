from __future__ import annotations

from collections.abc import Iterator

import pytest

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestSample
from services.shard.sampler.statement_work import (
    AWAY_SECONDS,
    LONGEST_PIECE,
    MOST_IN_PIECE,
    NEW_AN_HOUR,
    REGULAR_PIECES,
    StatementWork,
)
from services.shard.stores.records import Change, SeenStatement
from services.shard.work.statement_texts import StatementTexts

A, B, OWN = ("shop", "a"), ("shop", "b"), ("", "own")
DATE = 1_800_000_000.0


def counters(calls: int, seconds: float = 1.0) -> tuple[int, ...]:
    values = dict.fromkeys(DIGEST_COUNTERS, 0)
    return tuple({**values, "calls": calls, "total_picoseconds": int(calls * seconds * 1e12)}.values())


@pytest.fixture
def texts() -> StatementTexts:
    known = StatementTexts()
    for digest in ("a", "b", *(f"n{number}" for number in range(700))):
        known.of_engine(digest, f"SELECT * FROM t_{digest} WHERE id = ?")
    known.of_engine("own", "SHOW GLOBAL STATUS")
    return known


@pytest.fixture
def work(texts: StatementTexts) -> StatementWork:
    return StatementWork(texts, {})


def step(
    work: StatementWork, at: float, **calls: int
) -> tuple[dict[str, int] | None, list[SeenStatement], list[Change]]:
    sample = DigestSample(at, {("" if name == "own" else "shop", name): counters(n) for name, n in calls.items()})
    piece, seen, changes = work.next(sample, DATE + at)
    done = None if piece is None else {key[1]: found[0] for key, found in piece.done.items()}
    return done, seen, changes


def test_work_is_what_was_added_since_the_last_piece(work: StatementWork) -> None:
    assert step(work, 0, a=100, b=7) == (None, [], [])
    assert step(work, 4, a=102, b=7) == (None, [], [])
    done, seen, changes = step(work, 12, a=105, b=7)
    assert done == {"a": 5}
    assert [statement.key for statement in seen] == [A]
    assert changes == [], "it was there when the sampling began"


def test_the_engines_own_and_storexs_statements_are_left_out(work: StatementWork) -> None:
    step(work, 0, a=1, own=1)
    assert step(work, 10, a=2, own=9)[0] == {"a": 1}


def test_counters_that_fell_were_reset_and_count_from_zero(work: StatementWork) -> None:
    step(work, 0, a=100)
    assert step(work, 10, a=3)[0] == {"a": 3}


def test_after_a_restart_or_a_long_gap_nothing_is_credited(work: StatementWork) -> None:
    step(work, 0, a=100)
    work.begin_again()
    assert step(work, 10, a=500) == (None, [], [])
    assert step(work, 20, a=501)[0] == {"a": 1}
    assert step(work, 20 + LONGEST_PIECE + 1, a=900) == (None, [], [])


def test_a_new_statement_is_told_once(work: StatementWork) -> None:
    step(work, 0, a=1)
    _, seen, changes = step(work, 10, a=2, b=1)
    assert changes == [Change(DATE + 10, "statement_new", {"schema": "shop", "digest": "b"})]
    assert {statement.digest: statement.text for statement in seen}["b"].startswith("SELECT * FROM t_b")
    assert step(work, 20, a=3, b=2)[1:] == ([], [])


def test_what_the_store_knows_is_not_new(texts: StatementTexts) -> None:
    known = {B: SeenStatement(*B, "SELECT", DATE - 900, DATE - 800)}
    work = StatementWork(texts, known)
    step(work, 0, a=1)
    _, seen, changes = step(work, 10, a=2, b=1)
    assert changes == []
    assert {statement.digest: statement.first_seen for statement in seen} == {"a": DATE + 10, "b": DATE - 900}


def test_a_regular_statement_that_stops_is_told_once(work: StatementWork) -> None:
    at = _run_regularly(work)
    told = [change for change in _idle(work, at) if change.kind == "statement_vanished"]
    assert [(change.content["digest"], change.since) for change in told] == [("a", DATE + at)]
    assert told[0].at > DATE + at + AWAY_SECONDS


def test_a_statement_that_ran_a_few_times_does_not_vanish(work: StatementWork) -> None:
    step(work, 0, a=1, b=1)
    step(work, 10, a=2, b=2)
    assert list(_idle(work, 10)) == []


def test_a_flood_of_new_statements_is_told_up_to_a_limit(work: StatementWork) -> None:
    step(work, 0, a=1)
    changes = step(work, 10, **{f"n{number}": 1 for number in range(700)})[2]
    assert len(changes) == NEW_AN_HOUR


def test_a_piece_holds_the_statements_that_took_most_time(texts: StatementTexts) -> None:
    work = StatementWork(texts, {})
    step(work, 0, a=1)
    done = step(work, 10, **{f"n{number}": number + 1 for number in range(700)})[0]
    assert done is not None
    assert len(done) == MOST_IN_PIECE
    assert min(done.values()) == 700 - MOST_IN_PIECE + 1


def _run_regularly(work: StatementWork) -> float:
    for number in range(REGULAR_PIECES + 1):
        step(work, 10.0 * number, a=number, b=1)
    return 10.0 * REGULAR_PIECES


def _idle(work: StatementWork, at: float) -> Iterator[Change]:
    work.begin_again()
    for number in range(1, 150):
        yield from work.next(DigestSample(at + 10 * number, {A: counters(99)}), DATE + at + 10 * number)[2]
