"""`replication.stopped`: a replication thread does not run, and no error stopped it: somebody did, and left it so."""

from __future__ import annotations

from libs.core.catalogue import AFFECTED
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from storex.diagnostics.v1 import finding_pb2, replication_pb2

KIND = "replication.stopped"
TOOL = "get_replication"


def detect(readings: Readings) -> Detection:
    """A finding for each such channel."""
    answer = readings.answer(TOOL, replication_pb2.GetReplicationResponse)
    if answer is None:
        return Detection(not_checked=True, reason="Replication could not be read.")
    if any(limit.source in ("replication", "replica_status") for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Replication cannot be seen by Storex's database account.")
    if not answer.is_replica:
        return Detection(reason="The server replicates from nobody.")
    guilty = [place for place, one in enumerate(answer.channels) if one.stopped_thread and not one.error_code]
    clear = f"{sum(one.runs for one in answer.channels)} of {len(answer.channels)} channels run."
    return Detection(tuple(_finding(answer, place) for place in guilty), "" if guilty else clear)


def _finding(answer: replication_pb2.GetReplicationResponse, place: int) -> finding_pb2.Finding:
    channel = answer.channels[place]
    does = "do" if " and " in channel.stopped_thread else "does"
    return finding_pb2.Finding(
        kind=KIND,
        # One that takes writes may have been made the primary, and left with what it once followed.
        severity=finding_pb2.SEVERITY_CRITICAL if answer.read_only else finding_pb2.SEVERITY_WARNING,
        confidence=0.97 if answer.read_only else 0.8,
        summary=f"The {channel.stopped_thread} of channel {channel.channel} {does} not run, and no error stopped it.",
        entities=[entity(AFFECTED, "channel", channel.channel)],
        evidence=[
            cite(TOOL, answer, f"channels[{place}].{path}", statement)
            for path, statement in (
                ("channel", "The channel."),
                ("stopped_thread", "What of it does not run."),
                ("receiver", "The thread that takes the source's changes."),
                ("applier", "The threads that apply them."),
                ("error_code", "The error that stopped it; 0 for none."),
                ("queued_bytes", "Changes that wait to be applied, in bytes."),
            )
        ],
        impact=1.0,
    )
