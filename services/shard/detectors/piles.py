"""Sessions that pile up behind one holder of a metadata, global or backup lock: what those causes share."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.catalogue import AFFECTED, HOLDER, VICTIM
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import queue_severity, session_evidence, session_parts
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2

TOOL = "get_lock_waits"
SHORTEST_WAIT = 1.0
"""A wait below this is how such locks work, in seconds."""
LONG_WAIT, MANY = 5.0, 3
"""Fewer than `MANY` waiting sessions are told from here on, in seconds: a change may well wait for a statement."""
NOTICED_WAIT = 0.1
"""From here on a wait is worth another look, in seconds."""
MOST_VICTIMS, MOST_FINDINGS = 20, 5


@dataclass(frozen=True, slots=True)
class Pile:
    """A holder by its place in the answer, and the places of those that wait behind it for a lock of that kind."""

    place: int
    victims: tuple[int, ...]
    longest: float
    """In seconds, of all that wait behind the holder, also for other locks."""


@dataclass(frozen=True, slots=True)
class PileKind:
    """What tells one such cause from another."""

    cause: str
    lock: diagnostics_pb2.LockKind.ValueType
    words: str
    """What the locks are called in sentences."""


def detect_piles(kind: PileKind, readings: Readings) -> Detection:
    """A finding for each holder that others have waited for long enough."""
    answer = readings.lock_waits
    if answer is None:
        return Detection(not_checked=True, reason="The lock waits could not be read.")
    if any(limit.source == "process" for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Other sessions cannot be seen by Storex's database account.")
    waiting = [waiter for waiter in answer.waiters if waiter.kind == kind.lock]
    piles = [pile for place in range(len(answer.holders)) if (pile := _pile(answer, place, kind)) is not None]
    guilty = [pile for pile in piles if _counts(pile)][:MOST_FINDINGS]
    if guilty:
        return Detection(tuple(_finding(answer, pile, kind, readings.now) for pile in guilty))
    unseen = [waiter for waiter in waiting if not waiter.root_connection_id and waiter.wait_seconds >= SHORTEST_WAIT]
    if unseen:
        reason = f"{len(unseen)} sessions wait for {kind.words}, but who holds them cannot be seen."
        return Detection(not_checked=True, reason=reason)
    if not waiting:
        return Detection(reason=f"No session waits for {kind.words}.")
    longest = max(waiter.wait_seconds for waiter in waiting)
    reason = f"{len(waiting)} sessions wait for {kind.words}, the longest for {longest:.1f} s."
    return Detection(reason=reason, look_again=_until_decided(piles))


def _pile(answer: diagnostics_pb2.GetLockWaitsResponse, place: int, kind: PileKind) -> Pile | None:
    root = answer.holders[place].session.connection_id
    behind = [(number, found) for number, found in enumerate(answer.waiters) if found.root_connection_id == root]
    if not any(waiter.kind == kind.lock and waiter.depth == 1 for _, waiter in behind):
        return None
    victims = tuple(number for number, waiter in behind if waiter.kind == kind.lock)
    return Pile(place, victims, max(waiter.wait_seconds for _, waiter in behind))


def _counts(pile: Pile) -> bool:
    return pile.longest >= (SHORTEST_WAIT if len(pile.victims) >= MANY else LONG_WAIT)


def _until_decided(piles: list[Pile]) -> float:
    """Seconds until a pile that grows old is told; 0 where none is high enough to be told soon."""
    young = [pile.longest for pile in piles if len(pile.victims) >= MANY and pile.longest >= NOTICED_WAIT]
    return max(0.05, SHORTEST_WAIT - max(young) + 0.05) if young else 0.0


def _finding(
    answer: diagnostics_pb2.GetLockWaitsResponse, pile: Pile, kind: PileKind, now: float
) -> finding_pb2.Finding:
    holder = answer.holders[pile.place]
    return finding_pb2.Finding(
        kind=kind.cause,
        severity=queue_severity(holder.blocked_sessions, pile.longest),
        confidence=0.95,
        onset=timestamp(now - pile.longest),
        summary=_summary(answer, pile, kind),
        entities=_entities(answer, pile),
        evidence=_evidence(answer, pile, kind),
        impact=float(holder.blocked_sessions),
    )


def _summary(answer: diagnostics_pb2.GetLockWaitsResponse, pile: Pile, kind: PileKind) -> str:
    holder = answer.holders[pile.place]
    doing = "sits idle" if holder.session.command == "Sleep" else "is at work"
    age = f" in a transaction open for {holder.transaction.age_seconds:.0f} s" if holder.HasField("transaction") else ""
    tables = _tables(answer, pile)
    on = f" on {' and '.join(tables)}" if tables else ""
    return (
        f"Connection {holder.session.connection_id} {doing}{age}; {holder.blocked_sessions} sessions wait behind it for"
        f" {kind.words}{on}, the longest for {pile.longest:.0f} s."
    )


def _tables(answer: diagnostics_pb2.GetLockWaitsResponse, pile: Pile) -> list[str]:
    return list(dict.fromkeys(answer.waiters[number].table for number in pile.victims if answer.waiters[number].table))


def _entities(answer: diagnostics_pb2.GetLockWaitsResponse, pile: Pile) -> list[entity_pb2.Entity]:
    victims = [answer.waiters[number].session.connection_id for number in pile.victims[:MOST_VICTIMS]]
    return [
        *session_parts(HOLDER, answer.holders[pile.place].session),
        *(entity(VICTIM, "connection_id", str(victim)) for victim in victims),
        *(entity(AFFECTED, "table", table) for table in _tables(answer, pile)),
    ]


def _evidence(answer: diagnostics_pb2.GetLockWaitsResponse, pile: Pile, kind: PileKind) -> list[entity_pb2.Evidence]:
    holder, at = answer.holders[pile.place], f"holders[{pile.place}]"
    paths = [
        (f"{at}.session.connection_id", "This connection is at the root of the waits."),
        (f"{at}.blocked_sessions", "So many sessions wait behind it."),
        (f"{at}.longest_wait_seconds", "The longest of them has waited so many seconds."),
        (f"{at}.session.command", "What the holder does now."),
    ]
    if holder.HasField("transaction"):
        paths.append((f"{at}.transaction.age_seconds", "The holder's transaction has been open so many seconds."))
    for number in pile.victims[:3]:
        paths += [
            (f"waiters[{number}].session.connection_id", "This connection waits."),
            (f"waiters[{number}].root_connection_id", "At the root of its chain is this connection."),
            (f"waiters[{number}].kind", f"It waits for {kind.words}."),
        ]
    head = _queue_head(answer, pile)
    if head is not None:
        paths.append((f"waiters[{head}].requested_mode", "What those behind it wait for in turn asks for this mode."))
    cited = [cite(TOOL, answer, path, statement) for path, statement in paths]
    return cited + session_evidence(TOOL, answer, f"{at}.session", holder.session, "holder")


def _queue_head(answer: diagnostics_pb2.GetLockWaitsResponse, pile: Pile) -> int | None:
    """The waiter whose strong lock makes the others queue behind it, where there is one."""
    return next((number for number in pile.victims if answer.waiters[number].requested_mode == "EXCLUSIVE"), None)
