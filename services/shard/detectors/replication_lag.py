"""`replication.lag`: the threads run, and the replica falls behind all the same.

A lag that is not known is no lag of 0. Seconds of lag after a large transaction are ordinary; what tells is a lag that
is long and does not shrink, or an applier that is busy on a table without a key.
"""

from __future__ import annotations

from libs.core.catalogue import AFFECTED, VICTIM
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from services.shard.view import timestamp
from storex.diagnostics.v1 import finding_pb2, replication_pb2

KIND = "replication.lag"
TOOL = "get_replication"

LONG_LAG = 10.0
"""Seconds behind, beyond what is meant, that are a finding unless they shrink."""
SHORT_LAG = 2.0
"""The same where an applier is seen at work on a table without a key."""
CRITICAL_LAG = 300.0
SHRINKS = -0.3
"""Seconds by which the lag shrinks in a second, from which on the replica catches up."""
SETTLED = 2.5
"""Below this window the trend of a lag that counts in whole seconds is not known: it is looked at again."""
LOOK_AGAIN = 1.0


def detect(readings: Readings) -> Detection:
    """A finding for each such channel."""
    answer = readings.answer(TOOL, replication_pb2.GetReplicationResponse)
    if answer is None:
        return Detection(not_checked=True, reason="Replication could not be read.")
    if any(limit.source in ("replication", "replica_status") for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Replication cannot be seen by Storex's database account.")
    if not answer.is_replica:
        return Detection(reason="The server replicates from nobody.")
    guilty = [place for place, channel in enumerate(answer.channels) if _lags(answer, channel)]
    if guilty:
        again = LOOK_AGAIN if answer.window_seconds < SETTLED else 0.0
        return Detection(tuple(_finding(answer, place, readings) for place in guilty), look_again=again)
    known = [channel.lag_seconds for channel in answer.channels if channel.HasField("lag_seconds")]
    if not known:
        return Detection(not_checked=True, reason="The server does not know how far it is behind.")
    again = LOOK_AGAIN if max(known) >= SHORT_LAG else 0.0
    return Detection(reason=f"The replica is {max(known):.0f} s behind.", look_again=again)


def _behind(channel: replication_pb2.ReplicationChannel) -> float:
    return channel.lag_seconds - channel.delay_seconds if channel.HasField("lag_seconds") else 0.0


def _lags(answer: replication_pb2.GetReplicationResponse, channel: replication_pb2.ReplicationChannel) -> bool:
    if not channel.runs:
        return False
    behind = _behind(channel)
    shrinks = answer.window_seconds > 0.0 and answer.lag_growth < SHRINKS * answer.window_seconds
    if behind >= LONG_LAG:
        return not shrinks
    return behind >= SHORT_LAG and not shrinks and any(work.table_without_key for work in answer.appliers)


def _waits_for_a_lock(answer: replication_pb2.GetReplicationResponse, readings: Readings) -> int:
    """The connection of an applier that does; 0 where none does. Its state does not always tell."""
    locks = readings.lock_waits
    waiting = set() if locks is None else {waiter.session.connection_id for waiter in locks.waiters}
    said = (one.connection_id for one in answer.appliers if "lock" in one.state.lower())
    return next((one.connection_id for one in answer.appliers if one.connection_id in waiting), next(said, 0))


def _finding(answer: replication_pb2.GetReplicationResponse, place: int, readings: Readings) -> finding_pb2.Finding:
    channel = answer.channels[place]
    work = next((number for number, one in enumerate(answer.appliers) if one.table), None)
    waiting = _waits_for_a_lock(answer, readings)
    paths = [
        (f"channels[{place}].channel", "The channel."),
        (f"channels[{place}].lag_seconds", "The replica is so many seconds behind."),
        (f"channels[{place}].queued_bytes", "Changes received and not yet applied, in bytes."),
        ("lag_growth", "By how much the lag grew in the window, in seconds."),
    ]
    busy = ""
    entities = [entity(AFFECTED, "channel", channel.channel)]
    if waiting:
        entities.append(entity(VICTIM, "connection_id", str(waiting)))
    if work is not None:
        table = answer.appliers[work].table
        busy = f"; its applier is at work on {table}"
        busy += ", which has no primary key" if answer.appliers[work].table_without_key else ""
        entities.append(entity(AFFECTED, "table", table))
        paths += [
            (f"appliers[{work}].table", "The table that the applier changes."),
            (f"appliers[{work}].table_without_key", "Whether that table has no primary or unique key."),
        ]
    return finding_pb2.Finding(
        kind=KIND,
        severity=(
            finding_pb2.SEVERITY_CRITICAL if channel.lag_seconds >= CRITICAL_LAG else finding_pb2.SEVERITY_WARNING
        ),
        confidence=0.9 if work is not None and answer.appliers[work].table_without_key else 0.8,
        onset=timestamp(readings.now - channel.lag_seconds),
        summary=f"Channel {channel.channel} is {channel.lag_seconds:.0f} s behind its source{busy}.",
        entities=entities,
        evidence=[cite(TOOL, answer, path, statement) for path, statement in paths],
        impact=1.0,
    )
