"""`lock.unindexed_write`: a write finds its rows without a fitting index, and so locks all that it reads.

InnoDB locks each row that a write looks at, not only those that it changes, until the transaction ends. The holder's
transaction has locked far more rows than it modified, others wait for it, and a statement that writes to their table
reads far more rows than it changes. A transaction that means to lock many rows changes many, too.
"""

from __future__ import annotations

import re

from libs.core.catalogue import HOLDER
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import queue_severity, session_parts, statement_evidence, statement_parts
from services.shard.detectors.readings import Detection, Readings, limit_codes
from services.shard.view import timestamp
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "lock.unindexed_write"
TOOL = "get_lock_waits"

ROWS_LOCKED = 1_000
"""A transaction that has locked fewer is nobody's trouble for their number."""
ROWS_PER_CHANGE = 50
"""So many rows locked, or read, for each one changed."""
SHORTEST_WAIT = 1.0
"""From here on one waiting session counts, in seconds."""
LOAD = 1.0
"""So many sessions that wait for row locks on average count, however short their waits are."""

BETWEEN_LOOKS = 0.5
"""Seconds."""

_WRITES = re.compile(r"^\W*(?:UPDATE|DELETE|INSERT|REPLACE|WITH)\b|\bFOR\s+UPDATE\b", re.IGNORECASE)


def detect(readings: Readings) -> Detection:
    """A finding for each holder of that kind."""
    locks, work = readings.lock_waits, readings.top_queries
    if locks is None or work is None:
        return Detection(not_checked=True, reason="The lock waits or the statements could not be read.")
    if "SAMPLED_ONLY" in limit_codes(work):
        reason = "Without statement digests it is not known how many rows a write reads for those that it changes."
        return Detection(not_checked=True, reason=reason)
    if any(limit.source == "process" for limit in locks.observation.limits):
        return Detection(not_checked=True, reason="Row locks cannot be seen by Storex's database account.")
    greedy = [place for place, holder in enumerate(locks.holders) if _is_greedy(holder)]
    counted = [place for place in greedy if _matters(locks, locks.holders[place])]
    findings = [found for place in counted if (found := _finding(locks, work, place, readings.now)) is not None]
    if findings:
        return Detection(tuple(findings))
    if not counted and _may_be_between(locks, work):
        reason = "Sessions wait for row locks, and a write reads far more rows than it changes, but is not seen at it."
        return Detection(not_checked=True, reason=reason, look_again=BETWEEN_LOOKS)
    return Detection(reason=_clear(locks, greedy))


def _is_greedy(holder: diagnostics_pb2.LockHolder) -> bool:
    transaction = holder.transaction
    return holder.kind == diagnostics_pb2.LOCK_KIND_ROW and transaction.rows_locked >= max(
        ROWS_LOCKED, ROWS_PER_CHANGE * transaction.rows_modified
    )


def _matters(locks: diagnostics_pb2.GetLockWaitsResponse, holder: diagnostics_pb2.LockHolder) -> bool:
    return holder.longest_wait_seconds >= SHORTEST_WAIT or locks.row_lock_load >= LOAD


def _may_be_between(locks: diagnostics_pb2.GetLockWaitsResponse, work: diagnostics_pb2.ListTopQueriesResponse) -> bool:
    """Whether it is looked at between two transactions, or while one has just begun to read and to lock.

    That sessions have waited all the time shows in the waits that ended.
    """
    tables = {waiter.table for waiter in locks.waiters if waiter.kind == diagnostics_pb2.LOCK_KIND_ROW}
    return locks.row_lock_load >= LOAD and any(
        _reads_too_much(query, tables or set(query.tables)) for query in work.queries
    )


def _clear(locks: diagnostics_pb2.GetLockWaitsResponse, greedy: list[int]) -> str:
    if greedy:
        return "A transaction has locked many rows that it does not change, but hardly anybody waits for them."
    most = max((holder.transaction.rows_locked for holder in locks.holders), default=0)
    return f"Nobody waits for a transaction that locked far more rows than it changed (the most is {most})."


def _statement(
    locks: diagnostics_pb2.GetLockWaitsResponse, work: diagnostics_pb2.ListTopQueriesResponse, place: int
) -> int | None:
    """Where among the statements the one stands that took the holder's locks: its own first, then by what it reads."""
    holder = locks.holders[place]
    root = holder.session.connection_id
    tables = {waiter.table for waiter in locks.waiters if waiter.root_connection_id == root and waiter.depth == 1}
    own = {holder.session.statement.digest, holder.session.last_statement.digest} - {""}
    candidates = [number for number, query in enumerate(work.queries) if _reads_too_much(query, tables)]
    return max(
        candidates,
        key=lambda number: (work.queries[number].statement.digest in own, work.queries[number].rows_examined),
        default=None,
    )


def _reads_too_much(query: diagnostics_pb2.QueryStats, tables: set[str]) -> bool:
    changed = max(query.rows_affected, query.rows_sent if query.rows_affected == 0 else 0)
    return (
        _WRITES.search(query.statement.digest_text) is not None
        and bool(tables & set(query.tables))
        and query.rows_examined >= ROWS_LOCKED * query.calls
        and query.rows_examined >= ROWS_PER_CHANGE * changed
    )


def _finding(
    locks: diagnostics_pb2.GetLockWaitsResponse,
    work: diagnostics_pb2.ListTopQueriesResponse,
    place: int,
    now: float,
) -> finding_pb2.Finding | None:
    number = _statement(locks, work, place)
    if number is None:
        return None
    holder, query = locks.holders[place], work.queries[number]
    at = f"holders[{place}]"
    paths = (
        (f"{at}.session.connection_id", "This connection holds the locks."),
        (f"{at}.transaction.rows_locked", "About so many rows its transaction has locked."),
        (f"{at}.transaction.rows_modified", "So many it has changed."),
        (f"{at}.blocked_sessions", "So many sessions wait for it."),
        (f"{at}.longest_wait_seconds", "The longest of them has waited so many seconds."),
    )
    return finding_pb2.Finding(
        kind=KIND,
        severity=queue_severity(holder.blocked_sessions, holder.longest_wait_seconds),
        confidence=0.92,
        onset=timestamp(now - max(holder.longest_wait_seconds, holder.transaction.age_seconds)),
        summary=(
            f"A write on {' and '.join(query.tables)} locks about {holder.transaction.rows_locked} rows to change"
            f" {holder.transaction.rows_modified}, and {holder.blocked_sessions} sessions wait for them."
        ),
        entities=[*statement_parts(query), *session_parts(HOLDER, holder.session)],
        evidence=[
            *(cite(TOOL, locks, path, statement) for path, statement in paths),
            *statement_evidence(work, number, "rows_examined", "rows_affected", "calls", "average_seconds"),
        ],
        impact=max(float(holder.blocked_sessions), locks.row_lock_load),
    )
