"""Whether a statement that reads a great deal lacks an index, or means to read it: what the causes of scans share."""

from __future__ import annotations

import re

from services.shard.mysql.statements import DIGEST_COUNTERS
from services.shard.sampler.history import History
from storex.diagnostics.v1 import diagnostics_pb2

ROWS_PER_CALL = 1_000
"""A call that reads fewer rows is quick without an index as well."""
ROWS_PER_RESULT = 100
"""So many rows read for each one returned or changed."""
SHARE_WITHOUT_INDEX = 0.5
"""Share of the calls that used no index."""
LOAD = 0.05
"""Sessions busy with the statement on average, below which it does not matter."""

TOGETHER, LONG = 2, 10.0
"""So many sessions that run the same read, of which no call ever ended, for so many seconds, read a great deal."""
_CALLS, _ERRORS = DIGEST_COUNTERS.index("calls"), DIGEST_COUNTERS.index("errors")
_READS = re.compile(
    r"\s*(?:SELECT|WITH)\b(?!.*\bFOR\s+(?:UPDATE|SHARE)\b)(?!.*\bLOCK\s+IN\b)", re.IGNORECASE | re.DOTALL
)
"""A statement that asks for no row lock; which transactions wait for one is read as well."""

_LOOKS_FOR_SOMETHING = re.compile(r"\b(?:WHERE|ON|USING|LIMIT)\b", re.IGNORECASE)
"""Without one of these a statement means to read everything: that is a heavy scan, and no index would help."""
_SUMS_UP = re.compile(
    r"\b(?:GROUP\s+BY|DISTINCT|OVER\b|WITH\s+ROLLUP|(?:COUNT|SUM|AVG|MIN|MAX|GROUP_CONCAT)\s*\()", re.IGNORECASE
)
"""How many rows such a statement reads to good purpose does not show in how many it returns."""
_PASSES_OVER = re.compile(r"\bORDER\s+BY\s+RAND\s*\(|\bOFFSET\b|\bLIMIT\s*(?:\?\s*,|\.\.\.)", re.IGNORECASE)
"""What such a statement skips or draws lots for, it reads, index or not."""
_CHANGES = re.compile(r"\s*(?:UPDATE|DELETE)\b", re.IGNORECASE)
_PICKS_FEW = re.compile(
    r"(?:[^<>!]=|<=>|\bIN\b|\bLIKE\b)\s*\(?\s*(?:\?|\.\.\.|[A-Z_]+\s*\(\s*(?:\?|\.\.\.))", re.IGNORECASE
)
"""A comparison with values, or with what a function makes of them, that is likely to leave few rows, also where a
statement sums them up."""


def lacks_index(query: diagnostics_pb2.QueryStats) -> bool:
    """Whether the statement reads far more than it looks for, without an index, and it matters."""
    results = max(1, query.rows_sent + query.rows_affected)
    return (
        query.load >= LOAD
        and (query.unindexed_calls >= SHARE_WITHOUT_INDEX * query.calls or _changes(query))
        and query.rows_examined >= ROWS_PER_CALL * query.calls
        and query.rows_examined >= ROWS_PER_RESULT * results
        and (looks_for_few_rows(query.statement.digest_text) or not query.tables)  # what a stored program ran inside
        and not _only_passes_over(query)
    )


def _only_passes_over(query: diagnostics_pb2.QueryStats) -> bool:
    """Whether it reads much because of its RAND(), or of its OFFSET in an index, rather than for want of an order."""
    digest_text = query.statement.digest_text
    found = _PASSES_OVER.search(digest_text)
    if found is None or _PICKS_FEW.search(digest_text):
        return False
    return "RAND" in found[0].upper() or query.no_index_used < SHARE_WITHOUT_INDEX * query.calls


def calls_of(query: diagnostics_pb2.QueryStats) -> int:
    """The calls that ended in the window, and those that run."""
    return query.calls + query.running_sessions


def load_of(query: diagnostics_pb2.QueryStats) -> float:
    """Sessions busy with it on average, whether their calls have ended or not."""
    return max(query.load, query.running_load)


def runs_on_and_on(query: diagnostics_pb2.QueryStats, history: History) -> bool:
    """Whether several sessions have been reading for long in a statement of which no call has ever been seen to end.

    What it reads is not counted yet. That it waits neither for a lock nor for a table is known of sessions that run,
    and a report that has ended before is known to end: its time says then that it reads a great deal.
    """
    return (
        not query.calls
        and query.running_sessions >= TOGETHER
        and query.running_seconds >= LONG
        and _READS.match(query.statement.digest_text) is not None
        and not _ended_before(query, history)
    )


def _ended_before(query: diagnostics_pb2.QueryStats, history: History) -> bool:
    """Whether the engine has counted a call that came to its end; one that was broken off, it counts as an error."""
    key = (query.schema, query.statement.digest)
    counted = (sample.counters[key] for sample in history.digests if key in sample.counters)
    return any(counters[_CALLS] > counters[_ERRORS] for counters in counted)


def _changes(query: diagnostics_pb2.QueryStats) -> bool:
    """Whether it changes rows that it finds: MySQL does not count such a statement as one without an index."""
    return _CHANGES.match(query.statement.digest_text) is not None


def looks_for_few_rows(digest_text: str) -> bool:
    """Whether an index could help the statement: it looks for rows, rather than summing up a great part of them."""
    if _SUMS_UP.search(digest_text):
        return _PICKS_FEW.search(digest_text) is not None
    return _LOOKS_FOR_SOMETHING.search(digest_text) is not None
