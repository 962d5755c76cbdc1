"""`traffic.n_plus_one`: one statement returns a list, and another one is sent for each of its entries.

Shown by arithmetic: interval after interval the calls of the small statement match the rows that the list returned,
while both go up and down. Many small statements that match no list are just many.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from services.shard.detectors.citation import cite
from services.shard.detectors.parts import STATEMENT_TOOL, named_tables, statement_evidence, statement_parts
from services.shard.detectors.readings import Detection, Readings, limit_codes
from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import DigestKey
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "traffic.n_plus_one"

CALLS_PER_SECOND = 30.0
SHARE_OF_CALLS = 0.3
"""The small statement is at least this share of all calls."""
ROWS_OF_AN_ENTRY = 3.0
"""Rows that a call of the small statement reads at most, for each one that it returns."""
MOST_CHILDREN = 20.0
"""Rows that a call of the small statement returns at most: an entry may have some of its own."""
ENTRIES = 10.0
"""Rows that a call of the list returns at least."""
FIT = 0.25
"""How far calls and rows may be apart, over the window and in each interval."""
HALF_DONE = 4.0
"""So many pages may be half done at either end of an interval: their rows count in one, their calls in the next."""
FEWEST_INTERVALS, FEWEST_LISTS = 2, 3
_NOTHING = (0,) * len(DIGEST_COUNTERS)
_READS = re.compile(r"\W*(?:SELECT|WITH|EXECUTE)\b", re.IGNORECASE)
_CALLS, _SENT = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("rows_sent")
_FIGURES = ("calls", "calls_per_second", "rows_examined", "rows_sent", "average_seconds", "load")


def detect(readings: Readings) -> Detection:
    """A finding for each small statement that follows a list."""
    answer = readings.top_queries
    if answer is None:
        return Detection(not_checked=True, reason="The statements could not be read.")
    if "SAMPLED_ONLY" in limit_codes(answer):
        return Detection(not_checked=True, reason="Without statement digests calls are not counted.")
    all_calls = sum(query.calls for query in answer.queries)
    small = [place for place, query in enumerate(answer.queries) if _is_small(query, all_calls)]
    pairs = [(place, by) for place in small if (by := _list_of(place, answer, readings)) is not None]
    if pairs:
        return Detection(tuple(_finding(answer, place, by) for place, by in pairs))
    if small:
        return Detection(reason="A small statement is sent very often, but for no list that another one returns.")
    return Detection(reason="No small statement makes up most of the calls.")


def _is_small(query: diagnostics_pb2.QueryStats, all_calls: int) -> bool:
    return (
        query.calls_per_second >= CALLS_PER_SECOND
        and query.calls >= SHARE_OF_CALLS * all_calls
        and query.rows_examined <= ROWS_OF_AN_ENTRY * max(query.calls, query.rows_sent)
        and query.rows_sent <= MOST_CHILDREN * query.calls
        and _READS.match(query.statement.digest_text) is not None
    )


def _list_of(place: int, answer: diagnostics_pb2.ListTopQueriesResponse, readings: Readings) -> int | None:
    """Where the list stands that the statement at `place` is sent for; None where there is none."""
    small = answer.queries[place]
    for number, query in enumerate(answer.queries):
        entries = query.rows_sent / max(1, query.calls)
        half_done = HALF_DONE * entries
        if number == place or query.calls < FEWEST_LISTS or entries < ENTRIES:
            continue
        if not _fit(small.calls, query.rows_sent, half_done):
            continue
        pieces = list(_intervals(_key(small), _key(query), readings))
        together = (sum(calls for calls, _ in pieces), sum(rows for _, rows in pieces))
        if len(pieces) >= FEWEST_INTERVALS and _fit(*together) and all(_fit(*piece, half_done) for piece in pieces):
            return number
    return None


def _fit(calls: int, rows: int, half_done: float = 0.0) -> bool:
    return abs(calls - rows) <= FIT * max(calls, rows) + half_done


def _key(query: diagnostics_pb2.QueryStats) -> DigestKey:
    return (query.schema, query.statement.digest)


def _intervals(small: DigestKey, large: DigestKey, readings: Readings) -> Iterator[tuple[int, int]]:
    """Calls of the one and rows of the other between samples in which either worked, the latest four."""
    samples = list(readings.history.digests)[-5:]
    for before, after in pairwise(samples):
        calls = after.counters.get(small, _NOTHING)[_CALLS] - before.counters.get(small, _NOTHING)[_CALLS]
        rows = after.counters.get(large, _NOTHING)[_SENT] - before.counters.get(large, _NOTHING)[_SENT]
        if calls > 0 or rows > 0:
            yield calls, rows


def _finding(answer: diagnostics_pb2.ListTopQueriesResponse, place: int, by: int) -> finding_pb2.Finding:
    small, large = answer.queries[place], answer.queries[by]
    each = small.calls / max(1, large.calls)
    about_list = (
        (f"queries[{by}].statement.digest", "The statement that returns the list."),
        (f"queries[{by}].calls", "Its calls in the window."),
        (f"queries[{by}].rows_sent", "The rows that it returned: as many as the other was called for."),
    )
    return finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=0.88,
        summary=(
            f"A statement on {named_tables(small)} is sent {small.calls_per_second:.0f} times a second,"
            f" {each:.0f} times for each call of one on {named_tables(large)}: once for every row that this returns."
        ),
        entities=statement_parts(small),
        evidence=[
            *statement_evidence(answer, place, *_FIGURES),
            *(cite(STATEMENT_TOOL, answer, path, statement) for path, statement in about_list),
        ],
        impact=small.load,
    )
