"""`maintenance.ddl`: a change of a table is at work, and others suffer from it.

That a table is changed is no fault: most changes slow nobody. What tells is who waits for the locks that the change
keeps, that other statements take far longer since it began, or that a replica falls behind while it applies one. A
change that waits for a lock itself does nothing, and what holds it up is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from libs.core.catalogue import AFFECTED, CAUSE, VICTIM
from services.shard.detectors.citation import cite
from services.shard.detectors.parts import queue_severity, session_parts
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2, maintenance_pb2, replication_pb2

KIND = "maintenance.ddl"
TOOL, WAITS, REPLICATION = "list_maintenance", "get_lock_waits", "get_replication"

LONG_WAIT, MANY, SHORTEST_WAIT = 5.0, 3, 1.0
"""Seconds from which one waiting session counts; so many sessions count from the shorter one on: a change needs its
lock for a moment anyway."""
SLOWER, ADDED_LOAD, LONG_RUN = 3.0, 1.0, 5.0
"""Others take so many times what they took, which keeps so many more sessions busy, while the change has been at work
for so many seconds."""
LAG = 10.0
"""Seconds that a replica is behind while it applies a change."""
MOST_VICTIMS = 20
LOOK_AGAIN = 1.0
_SESSIONS = ("process", "processes")
"""Sources of the limits under which not all sessions are seen, or none."""

_UNKNOWN = (
    "A table is being changed, and whether others became slower by that is not known: what they took shortly before was"
    " not sampled. Statement digests have to be on, and Storex has to watch the instance before a change begins, not"
    " more than a quarter of an hour ago."
)


@dataclass(frozen=True, slots=True)
class Burden:
    """A change by its place, the waiters behind it by theirs, whether others are slower, and the channel that lags."""

    place: int
    waiters: tuple[int, ...]
    longest_wait: float
    slower: bool
    lagging: int | None

    @property
    def counts(self) -> bool:
        """Whether anybody suffers from it."""
        waits = self.longest_wait >= (SHORTEST_WAIT if len(self.waiters) >= MANY else LONG_WAIT)
        return (bool(self.waiters) and waits) or self.slower or self.lagging is not None


def detect(readings: Readings) -> Detection:
    """A finding for each change that others suffer from."""
    answer = readings.answer(TOOL, maintenance_pb2.ListMaintenanceResponse)
    waits = readings.lock_waits
    if answer is None or waits is None:
        return Detection(not_checked=True, reason="The sessions could not be read.")
    if any(limit.source in _SESSIONS for read in (answer, waits) for limit in read.observation.limits):
        return Detection(not_checked=True, reason="Other sessions cannot be seen by Storex's database account.")
    if not answer.operations:
        return Detection(reason="No table is being changed.")
    at_work = [place for place, one in enumerate(answer.operations) if not one.waits_for_lock]
    if not at_work:
        return Detection(reason="A change of a table waits for a lock itself.")
    burdens = [_burden(answer, place, waits, readings) for place in at_work]
    guilty = [burden for burden in burdens if burden.counts]
    if guilty:
        return Detection(tuple(_finding(answer, burden, waits, readings) for burden in guilty))
    if any(not waiter.root_connection_id and waiter.wait_seconds >= SHORTEST_WAIT for waiter in waits.waiters):
        reason = "A table is being changed and sessions wait for locks, but who holds them cannot be seen."
        return Detection(not_checked=True, reason=reason)
    if any(_is_unknown(answer.operations[place]) for place in at_work):
        return Detection(not_checked=True, reason=_UNKNOWN)
    again = LOOK_AGAIN if any(burden.waiters for burden in burdens) else 0.0
    return Detection(reason=_clear(answer), look_again=again)


def _burden(
    answer: maintenance_pb2.ListMaintenanceResponse,
    place: int,
    waits: diagnostics_pb2.GetLockWaitsResponse,
    readings: Readings,
) -> Burden:
    one = answer.operations[place]
    number = one.session.connection_id
    waiters = tuple(at for at, waiter in enumerate(waits.waiters) if waiter.root_connection_id == number)
    long = one.running_seconds >= LONG_RUN
    return Burden(
        place,
        waiters,
        max((waits.waiters[at].wait_seconds for at in waiters), default=0.0),
        long and one.slowdown.factor >= SLOWER and one.slowdown.added_load >= ADDED_LOAD,
        _lagging(readings) if long and one.by_replication else None,
    )


def _is_unknown(one: maintenance_pb2.MaintenanceOperation) -> bool:
    """Whether others may have become much slower for all that is known: not where hardly any session is busy at all."""
    compared = one.HasField("slowdown") and (one.slowdown.factor > 0.0 or one.slowdown.load < ADDED_LOAD)
    return one.running_seconds >= LONG_RUN and not compared


def _lagging(readings: Readings) -> int | None:
    """The place of the channel that is furthest behind, where it is behind."""
    answer = readings.answer(REPLICATION, replication_pb2.GetReplicationResponse)
    behind = [] if answer is None else [(one.lag_seconds, place) for place, one in enumerate(answer.channels)]
    lag, place = max(behind, default=(0.0, 0))
    return place if lag >= LAG else None


def _clear(answer: maintenance_pb2.ListMaintenanceResponse) -> str:
    longest = max(one.running_seconds for one in answer.operations)
    return f"A table is being changed, for {longest:.0f} s, but nobody waits for it or became much slower."


def _finding(
    answer: maintenance_pb2.ListMaintenanceResponse,
    burden: Burden,
    waits: diagnostics_pb2.GetLockWaitsResponse,
    readings: Readings,
) -> finding_pb2.Finding:
    one, waiters = answer.operations[burden.place], [waits.waiters[at] for at in burden.waiters]
    tables = dict.fromkeys([*([one.table] if one.table else []), *(waiter.table for waiter in waiters if waiter.table)])
    return finding_pb2.Finding(
        kind=KIND,
        severity=queue_severity(len(waiters), burden.longest_wait),
        confidence=0.95 if waiters else 0.8,
        onset=timestamp(readings.now - one.running_seconds),
        summary=_summary(one, burden),
        entities=[
            *session_parts(CAUSE, one.session),
            *(entity(VICTIM, "connection_id", str(victim.session.connection_id)) for victim in waiters[:MOST_VICTIMS]),
            *(entity(AFFECTED, "table", table) for table in tables),
        ],
        evidence=list(_evidence(answer, burden, waits, readings)),
        impact=max(float(len(waiters)), one.slowdown.added_load),
    )


def _summary(one: maintenance_pb2.MaintenanceOperation, burden: Burden) -> str:
    parts = []
    if burden.waiters:
        waits = f"{len(burden.waiters)} sessions wait for its locks, the longest for {burden.longest_wait:.0f} s"
        parts.append(waits)
    if burden.slower:
        parts.append(f"other statements take {one.slowdown.factor:.1f} times what they took before")
    if burden.lagging is not None:
        parts.append("the replica falls behind meanwhile")
    on = f" of {one.table}" if one.table else ""
    return (
        f"Connection {one.session.connection_id} has been at work on {one.verb}{on} for {one.running_seconds:.0f} s:"
        f" {', and '.join(parts)}."
    )


def _evidence(
    answer: maintenance_pb2.ListMaintenanceResponse,
    burden: Burden,
    waits: diagnostics_pb2.GetLockWaitsResponse,
    readings: Readings,
) -> Iterator[entity_pb2.Evidence]:
    at, one = f"operations[{burden.place}]", answer.operations[burden.place]
    yield cite(TOOL, answer, f"{at}.session.connection_id", "This connection changes the table.")
    yield cite(TOOL, answer, f"{at}.verb", "What it does.")
    yield cite(TOOL, answer, f"{at}.running_seconds", "For how long it has been at it, in seconds.")
    yield cite(TOOL, answer, f"{at}.waits_for_lock", "Whether it waits for a lock itself.")
    if one.table:
        yield cite(TOOL, answer, f"{at}.table", "The table.")
    for field, known in (("user", one.session.user), ("program", one.session.program)):
        if known:
            yield cite(TOOL, answer, f"{at}.session.{field}", f"The {field} that does it.")
    for number in burden.waiters[:3]:
        yield cite(WAITS, waits, f"waiters[{number}].session.connection_id", "This connection waits.")
        yield cite(WAITS, waits, f"waiters[{number}].root_connection_id", "At the root of its chain is the change.")
        yield cite(WAITS, waits, f"waiters[{number}].wait_seconds", "For how long it has waited, in seconds.")
    if burden.slower:
        yield cite(TOOL, answer, f"{at}.slowdown.average_seconds", "Average time of other statements since.")
        yield cite(TOOL, answer, f"{at}.slowdown.earlier_average_seconds", "What the same ones took before.")
        yield cite(TOOL, answer, f"{at}.slowdown.added_load", "So many more sessions are busy with them.")
    replication = readings.answer(REPLICATION, replication_pb2.GetReplicationResponse)
    if burden.lagging is not None and replication is not None:
        path = f"channels[{burden.lagging}].lag_seconds"
        yield cite(REPLICATION, replication, path, "How far the replica is behind, in seconds.")
