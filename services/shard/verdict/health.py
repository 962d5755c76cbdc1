"""The health of one instance: collect, detect, relate the findings to each other, rank them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.catalogue import CATALOGUE
from libs.core.errors import Reason, StorexError
from services.shard.collectors.registry import COLLECTORS
from services.shard.detectors.readings import Detection, Detector, Readings
from services.shard.detectors.registry import DETECTORS
from services.shard.facts.unreachable import limit_of
from services.shard.mysql.shared import SharedSource
from services.shard.verdict.blindness import honest
from services.shard.verdict.relations import explains
from services.shard.verdict.trends import add_trend
from services.shard.view import InstanceView
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import (
    access_pb2,
    capacity_pb2,
    diagnostics_pb2,
    failures_pb2,
    finding_pb2,
    innodb_pb2,
    maintenance_pb2,
    replication_pb2,
    settings_pb2,
    traffic_pb2,
)

QUERY_WINDOW = 20
"""The window that statements are judged over, in seconds: short enough to see at once what has just begun."""

LONGEST_LOOK = 3.5
"""For how long what has only just begun is looked at again before the answer is given, in seconds."""

REQUESTS: dict[str, Message] = {
    "get_lock_waits": diagnostics_pb2.GetLockWaitsRequest(),
    "list_top_queries": diagnostics_pb2.ListTopQueriesRequest(window=Duration(seconds=QUERY_WINDOW), page_size=50),
    "get_innodb_status": diagnostics_pb2.GetInnodbStatusRequest(),
    "get_connections": diagnostics_pb2.GetConnectionsRequest(),
    "get_read_only_state": settings_pb2.GetReadOnlyStateRequest(),
    "list_variable_changes": settings_pb2.ListVariableChangesRequest(),
    "get_purge_state": innodb_pb2.GetPurgeStateRequest(),
    "get_commit_state": innodb_pb2.GetCommitStateRequest(),
    "get_buffer_pool": innodb_pb2.GetBufferPoolRequest(),
    "get_redo_state": innodb_pb2.GetRedoStateRequest(),
    "list_auto_increments": capacity_pb2.ListAutoIncrementsRequest(),
    "list_table_limits": capacity_pb2.ListTableLimitsRequest(),
    "get_failed_logins": access_pb2.GetFailedLoginsRequest(),
    "get_replication": replication_pb2.GetReplicationRequest(),
    "get_traffic": traffic_pb2.GetTrafficRequest(),
    "list_maintenance": maintenance_pb2.ListMaintenanceRequest(),
    "list_failing_statements": failures_pb2.ListFailingStatementsRequest(),
}
"""How each tool is asked for what detectors read."""

Outcome = Message | StorexError
"""What a tool came to."""


async def assess(
    view: InstanceView, labels: Mapping[str, str], detectors: Sequence[Detector] = DETECTORS
) -> diagnostics_pb2.InstanceHealth:
    """Everything the detectors find, from the view alone: nothing is kept from one call to the next.

    A server that does not answer is a limit, and its checks say so.
    """
    began, began_at = view.clock.now(), view.clock.monotonic()
    earlier = None if view.earlier is None else await _read(view.earlier, tools_of(detectors), None)
    readings = await _read(view, tools_of(detectors), earlier)
    detections = {detector.kind: detect(detector, readings) for detector in detectors}
    while (pause := max((found.look_again for found in detections.values()), default=0.0)) > 0.0:
        if view.snapshot or view.clock.monotonic() + pause - began_at > LONGEST_LOOK:
            break
        await asyncio.sleep(pause)
        undecided = [detector for detector in detectors if detections[detector.kind].look_again]
        readings = await _read(view, tools_of(undecided), readings)
        detections |= {detector.kind: detect(detector, readings) for detector in undecided}
    return health_of(view, began, readings, detections, detectors, labels)


def tools_of(detectors: Sequence[Detector]) -> tuple[str, ...]:
    """The tools that these detectors read, each once."""
    return tuple(dict.fromkeys(tool for detector in detectors for tool in detector.tools))


async def _read(view: InstanceView, tools: Sequence[str], before: Readings | None) -> Readings:
    """Fresh answers of these tools beside those from `before`."""
    moment = replace(view, source=SharedSource(view.source))
    outcomes = dict(zip(tools, await asyncio.gather(*(collect(moment, tool) for tool in tools)), strict=True))
    known: dict[str, Outcome] = {} if before is None else {**before.answers, **before.failures}
    return readings_of(view, {**known, **outcomes}, None if before is None else replace(before, previous=None))


def readings_of(view: InstanceView, outcomes: Mapping[str, Outcome], previous: Readings | None) -> Readings:
    """What detectors are given, of this moment."""
    return Readings(
        answers={tool: found for tool, found in outcomes.items() if isinstance(found, Message)},
        failures={tool: found for tool, found in outcomes.items() if isinstance(found, StorexError)},
        history=view.history,
        at=view.clock.monotonic(),
        now=view.clock.now(),
        previous=previous,
    )


async def collect(view: InstanceView, tool: str) -> Outcome:
    """The tool's answer, or why there is none."""
    try:
        answer: Message = await COLLECTORS[tool](view, REQUESTS[tool])
    except StorexError as error:
        if error.reason is Reason.CANCELLED:
            raise
        return error
    return answer


def detect(detector: Detector, readings: Readings) -> Detection:
    """What a detector comes to; a tool that failed leaves it nothing to look at."""
    failed = next((readings.failures[tool] for tool in detector.tools if tool in readings.failures), None)
    if failed is not None:
        return Detection(not_checked=True, reason=failed.public_message)
    return honest(detector, detector.detect(readings), readings)


def health_of(
    view: InstanceView,
    began: float,
    readings: Readings,
    detections: Mapping[str, Detection],
    detectors: Sequence[Detector],
    labels: Mapping[str, str],
) -> diagnostics_pb2.InstanceHealth:
    """The detections as an answer, about readings that began at `began`, in seconds since the epoch."""
    findings, checks = [], []
    for detector in detectors:
        detection, read_at = detections[detector.kind], observed(readings, detector.tools)
        checks.append(_check(detector, detection, read_at))
        for original in detection.findings:
            finding = finding_pb2.Finding()
            finding.CopyFrom(original)
            if read_at is not None and not finding.HasField("observed_at"):
                finding.observed_at.CopyFrom(read_at)
            add_trend(finding, readings)
            findings.append(finding)
    return diagnostics_pb2.InstanceHealth(
        observation=view.observation(began, None, *_limits(readings)),
        findings=rank(findings),
        checks=checks,
        labels=dict(labels),
    )


def observed(readings: Readings, tools: Sequence[str]) -> Timestamp | None:
    """When the oldest of these tools' answers was read; None where there is none."""
    times = [
        getattr(readings.answers[tool], "observation").observed_at  # noqa: B009 - every answer has one
        for tool in tools
        if tool in readings.answers
    ]
    return min(times, key=lambda time: (time.seconds, time.nanos), default=None)


def _check(detector: Detector, detection: Detection, read_at: Timestamp | None) -> finding_pb2.Check:
    if detection.findings:
        return finding_pb2.Check(kind=detector.kind, result=finding_pb2.CHECK_RESULT_FOUND, observed_at=read_at)
    result = finding_pb2.CHECK_RESULT_NOT_CHECKED if detection.not_checked else finding_pb2.CHECK_RESULT_CLEAR
    return finding_pb2.Check(kind=detector.kind, result=result, reason=detection.reason, observed_at=read_at)


def _limits(readings: Readings) -> list[entity_pb2.Limit]:
    limits = [limit_of(failure) for failure in readings.failures.values()]
    for answer in readings.answers.values():
        limits += getattr(answer, "observation").limits  # noqa: B009 - every answer has one
    return list({(limit.source, limit.code): limit for limit in limits}.values())


def rank(findings: Sequence[finding_pb2.Finding]) -> list[finding_pb2.Finding]:
    """The findings worst first, with ids, and with what each explains; what another one explains comes after it."""
    ordered = sorted(findings, key=badness, reverse=True)
    for number, finding in enumerate(ordered, 1):
        finding.id = f"f{number}"
    for cause in ordered:
        cause.explains.extend(effect.id for effect in ordered if effect is not cause and explains(cause, effect))
    explained = {effect for cause in ordered for effect in cause.explains}
    return [f for f in ordered if f.id not in explained] + [f for f in ordered if f.id in explained]


def badness(finding: finding_pb2.Finding) -> tuple[int, float, int, float]:
    """What findings are ranked by."""
    entry = CATALOGUE.get(finding.kind)
    return (finding.severity, finding.impact, entry.precedence if entry else 0, finding.confidence)
