"""`replication.error`: a replication thread gave up, or cannot reach its source, with an error."""

from __future__ import annotations

from libs.core.catalogue import AFFECTED, CAUSE
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Readings, entity
from storex.diagnostics.v1 import finding_pb2, replication_pb2

KIND = "replication.error"
TOOL = "get_replication"


def detect(readings: Readings) -> Detection:
    """A finding for each such channel."""
    answer = readings.answer(TOOL, replication_pb2.GetReplicationResponse)
    if answer is None:
        return Detection(not_checked=True, reason="Replication could not be read.")
    if any(limit.source in ("replication", "replica_status") for limit in answer.observation.limits):
        return Detection(not_checked=True, reason="Replication cannot be seen by Storex's database account.")
    guilty = [place for place, one in enumerate(answer.channels) if one.error_code]
    clear = "No channel has an error." if answer.is_replica else "The server replicates from nobody."
    return Detection(tuple(_finding(answer, place) for place in guilty), "" if guilty else clear)


def _finding(answer: replication_pb2.GetReplicationResponse, place: int) -> finding_pb2.Finding:
    channel = answer.channels[place]
    thread = "applier" if channel.error_code == channel.applier_error_code else "receiver"
    finding = finding_pb2.Finding(
        kind=KIND,
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.97,
        summary=f"The {thread} of channel {channel.channel} does not get on, with error {channel.error_code}.",
        entities=[
            entity(AFFECTED, "channel", channel.channel),
            entity(CAUSE, "error_code", str(channel.error_code)),
        ],
        evidence=[
            cite(TOOL, answer, f"channels[{place}].{path}", statement)
            for path, statement in (
                ("channel", "The channel."),
                ("error_code", "The error that keeps it from running."),
                ("receiver", "The thread that takes the source's changes."),
                ("applier", "The threads that apply them."),
                ("queued_bytes", "Changes that wait to be applied, in bytes."),
            )
        ],
        impact=1.0,
    )
    if channel.HasField("error_at"):
        finding.onset.CopyFrom(channel.error_at)
    return finding
