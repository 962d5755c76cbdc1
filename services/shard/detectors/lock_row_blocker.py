"""`lock.row_blocker`: a transaction holds row locks that others wait for, often while its client does nothing.

Not a hot row, where holders change while the queue stays: the transaction is older than the wait for it, and where
waits end all the time, it is seen to hold on between two looks.
"""

from __future__ import annotations

from libs.core.catalogue import AFFECTED, CAUSE, HOLDER, VICTIM
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import queue_severity, session_evidence, session_parts
from services.shard.detectors.readings import Detection, Readings, entity, limit_codes
from services.shard.view import timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

KIND = "lock.row_blocker"
TOOL = "get_lock_waits"

SHORTEST_WAIT = 1.0
"""A wait below this is how locks work, in seconds."""
NOTICED_WAIT = 0.1
"""From here on a wait for an idle holder is worth another look, in seconds."""
LOAD = 0.2
"""Where so many sessions' waits end on average, a holder is looked at twice."""
GIVEN_UP_LOAD = 0.5
"""Where so many sessions' waits end on average, those for an idle holder are short because they are given up."""
BETWEEN_LOOKS = 0.5
"""Seconds after which a passing holder is gone."""
START_STEP = 1.0
"""Transactions start on a whole second, as far as the engine tells."""
MOST_FINDINGS, MOST_VICTIMS = 5, 20


def detect(readings: Readings) -> Detection:
    """A finding for each root holder of row locks that somebody has waited for long enough."""
    answer = readings.lock_waits
    if answer is None:
        return Detection(not_checked=True, reason="The lock waits could not be read.")
    if not answer.holders and limit_codes(answer) & {"PRIVILEGE_MISSING", "PERFORMANCE_SCHEMA_OFF"}:
        blind = _blind(answer)
        if blind is not None:
            return blind
    blocking = [place for place, holder in enumerate(answer.holders) if _is_blocker(holder, answer)]
    guilty = [place for place in blocking if _holds_on(answer.holders[place], readings)][:MOST_FINDINGS]
    if not guilty:
        return Detection(reason=_clear(answer), look_again=BETWEEN_LOOKS if blocking else _until_decided(answer))
    return Detection(tuple(_finding(answer, place, readings.now) for place in guilty))


def _blind(answer: diagnostics_pb2.GetLockWaitsResponse) -> Detection | None:
    waiting = sum(waiter.kind == diagnostics_pb2.LOCK_KIND_ROW for waiter in answer.waiters)
    if waiting:
        reason = f"{waiting} sessions wait for row locks, but who holds them cannot be seen."
        return Detection(not_checked=True, reason=reason)
    sources = {limit.source for limit in answer.observation.limits}
    if sources & {"process", "transactions", "row_lock_waits"}:
        return Detection(not_checked=True, reason="Row-lock waits cannot be seen by Storex's database account.")
    return None


def _until_decided(answer: diagnostics_pb2.GetLockWaitsResponse) -> float:
    """Seconds until the waits for an idle holder, if they go on, are long enough to count; 0 where there are none."""
    waits = [
        holder.longest_wait_seconds
        for holder in answer.holders
        if holder.kind == diagnostics_pb2.LOCK_KIND_ROW and holder.transaction.idle
    ]
    young = [waited for waited in waits if waited >= NOTICED_WAIT]
    return SHORTEST_WAIT - max(young) + 0.05 if young else 0.0


def _is_blocker(holder: diagnostics_pb2.LockHolder, answer: diagnostics_pb2.GetLockWaitsResponse) -> bool:
    if holder.kind != diagnostics_pb2.LOCK_KIND_ROW:
        return False
    if holder.longest_wait_seconds < SHORTEST_WAIT:
        return holder.longest_wait_seconds >= NOTICED_WAIT and _rests(holder) and answer.row_lock_load >= GIVEN_UP_LOAD
    age = holder.transaction.age_seconds
    return not holder.HasField("transaction") or age + START_STEP >= holder.longest_wait_seconds


def _holds_on(holder: diagnostics_pb2.LockHolder, readings: Readings) -> bool:
    """Where others' waits end all the time, a holder may have waited as long as they have, and be gone in a moment."""
    answer, earlier = readings.lock_waits, readings.previous.lock_waits if readings.previous is not None else None
    if answer is None or answer.row_lock_load < LOAD or _rests(holder):
        return True
    return earlier is not None and any(_is_same(holder, before) for before in earlier.holders)


def _rests(holder: diagnostics_pb2.LockHolder) -> bool:
    """Idle times and starts are whole seconds to some engines: less than a step beyond the shortest may be a moment."""
    return holder.transaction.idle_seconds >= SHORTEST_WAIT + START_STEP


def _is_same(holder: diagnostics_pb2.LockHolder, before: diagnostics_pb2.LockHolder) -> bool:
    transaction = (holder.session.connection_id, holder.transaction.transaction_id)
    return transaction == (before.session.connection_id, before.transaction.transaction_id)


def _clear(answer: diagnostics_pb2.GetLockWaitsResponse) -> str:
    rows = [waiter for waiter in answer.waiters if waiter.kind == diagnostics_pb2.LOCK_KIND_ROW]
    if not rows:
        return "No session waits for a row lock."
    longest = max(waiter.wait_seconds for waiter in rows)
    return f"{len(rows)} sessions wait for row locks, the longest for {longest:.1f} s, and none for one lasting holder."


def _finding(answer: diagnostics_pb2.GetLockWaitsResponse, place: int, now: float) -> finding_pb2.Finding:
    holder = answer.holders[place]
    root = holder.session.connection_id
    victims = [number for number, waiter in enumerate(answer.waiters) if waiter.root_connection_id == root]
    idle = holder.transaction.idle
    return finding_pb2.Finding(
        kind=KIND,
        severity=queue_severity(holder.blocked_sessions, holder.longest_wait_seconds),
        confidence=0.97 if idle else 0.85,
        onset=timestamp(now - holder.longest_wait_seconds),
        summary=_summary(holder),
        entities=_entities(answer, holder, victims),
        evidence=_evidence(answer, place, victims),
        impact=float(holder.blocked_sessions),
    )


def _summary(holder: diagnostics_pb2.LockHolder) -> str:
    what = "sits idle in a transaction" if holder.transaction.idle else "runs a transaction"
    age = f" open for {holder.transaction.age_seconds:.0f} s" if holder.HasField("transaction") else ""
    sessions = "session waits" if holder.blocked_sessions == 1 else "sessions wait"
    return (
        f"Connection {holder.session.connection_id} {what}{age} and holds row locks that {holder.blocked_sessions}"
        f" {sessions} for, the longest for {holder.longest_wait_seconds:.0f} s."
    )


def _entities(
    answer: diagnostics_pb2.GetLockWaitsResponse, holder: diagnostics_pb2.LockHolder, victims: list[int]
) -> list[entity_pb2.Entity]:
    session = holder.session
    found = session_parts(HOLDER, session)
    waiters = [answer.waiters[number] for number in victims]
    found += [entity(VICTIM, "connection_id", str(waiter.session.connection_id)) for waiter in waiters[:MOST_VICTIMS]]
    direct = [waiter for waiter in waiters if waiter.depth == 1 and waiter.table]
    found += [entity(AFFECTED, "table", table) for table in dict.fromkeys(waiter.table for waiter in direct)]
    indexes = dict.fromkeys(f"{waiter.table}.{waiter.index}" for waiter in direct if waiter.index)
    found += [entity(AFFECTED, "index", index) for index in indexes]
    digest = session.statement.digest or session.last_statement.digest
    return [*found, entity(CAUSE, "statement_digest", digest)] if digest else found


def _evidence(
    answer: diagnostics_pb2.GetLockWaitsResponse, place: int, victims: list[int]
) -> list[entity_pb2.Evidence]:
    def value(path: str, statement: str) -> entity_pb2.Evidence:
        return cite(TOOL, answer, path, statement)

    holder = answer.holders[place]
    at = f"holders[{place}]"
    found = [
        value(f"{at}.session.connection_id", "This connection is at the root of the lock waits."),
        value(f"{at}.blocked_sessions", "So many sessions wait for it, directly or through others."),
        value(f"{at}.longest_wait_seconds", "The longest of them has waited so many seconds."),
        value(f"{at}.session.command", "What the holder does now."),
    ]
    if holder.HasField("transaction"):
        found.append(value(f"{at}.transaction.age_seconds", "The holder's transaction has been open so many seconds."))
        found.append(value(f"{at}.transaction.idle", "Whether the holder's client runs nothing at this moment."))
    for number in victims[:3]:
        waiter = f"waiters[{number}]"
        found.append(value(f"{waiter}.session.connection_id", "This connection waits."))
        found.append(value(f"{waiter}.root_connection_id", "At the root of its chain is this connection."))
    return found + session_evidence(TOOL, answer, f"{at}.session", holder.session, "holder")
