"""The health that an instance had at a time in the past, as far as what was recorded of it can tell.

Only statements and counters are on record. Who held a lock, which transaction was open and which threads replicated is
gone with the moment: such checks say that they could not be made, and nothing here is ever sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from libs.core.errors import Reason, StorexError
from services.shard.collectors.top_queries import list_top_queries
from services.shard.detectors import query_heavy_scan, query_missing_index, query_temp_spill
from services.shard.detectors.citation import cite
from services.shard.detectors.readings import Detection, Detector, Readings
from services.shard.detectors.registry import DETECTORS
from services.shard.facts.unreachable import limit_of
from services.shard.history.metric_history import get_metric_history
from services.shard.history.ranges import Range, asked_seconds, moment
from services.shard.sampler.history import History
from services.shard.verdict.health import rank
from services.shard.view import InstanceView, timestamp
from storex.common.v1 import entity_pb2
from storex.diagnostics.v1 import diagnostics_pb2, finding_pb2
from storex.history.v1 import history_pb2

PastRequest = diagnostics_pb2.GetHealthRequest | diagnostics_pb2.StreamHealthRequest

DEFAULT_WINDOW, SHORTEST_WINDOW, LONGEST_WINDOW = 600.0, 10.0, 86_400.0
MOST_SLICES = 12
SHORTEST_SLICE = 60.0
"""A window is judged in slices, in seconds: what lasted five minutes would be diluted in the mean of an hour."""
SUREST = 0.6
"""Most confidence in what only the record shows."""

_OF_STATEMENTS = tuple(
    Detector(module.KIND, ("list_top_queries",), module.detect)
    for module in (query_missing_index, query_temp_spill, query_heavy_scan)
)
_GONE = "What it would be seen by is not recorded; it can only be checked while it lasts."
_NO_STATEMENTS = "No statement of that time is on record."


@dataclass(frozen=True, slots=True)
class _Counted:
    """A kind that a recorded counter shows: so many in one step of the record are one."""

    kind: str
    metric: str
    fewest: float
    sentence: str


_OF_COUNTERS = (
    _Counted("lock.deadlock", "deadlocks_per_second", 5.0, "{count:.0f} deadlocks within {step:.0f} s at the worst."),
    _Counted(
        "connections.exhausted",
        "refused_connections_per_second",
        3.0,
        "{count:.0f} attempts to connect were refused at the connection limit within {step:.0f} s at the worst.",
    ),
)


async def assess_past(
    view: InstanceView, labels: Mapping[str, str], request: PastRequest
) -> diagnostics_pb2.InstanceHealth:
    """What was wrong in the time that a request's `at` and `window` name.

    Raises StorexError TIME_RANGE_INVALID, TIME_OUTSIDE_RETENTION, REQUEST_INVALID, STORE_UNAVAILABLE.
    """
    began = view.clock.now()
    asked = _asked(request, began)
    whole = await list_top_queries(view, _statements_request(asked))
    detections = await _of_statements(view, asked)
    for counted in _OF_COUNTERS:
        detections[counted.kind] = await _of_counter(view, counted, asked)
    findings = [finding for detection in detections.values() for finding in detection.findings]
    return diagnostics_pb2.InstanceHealth(
        observation=view.observation(began, None, *whole.observation.limits),
        findings=rank(findings),
        checks=[_check(detector.kind, detections.get(detector.kind)) for detector in DETECTORS],
        labels=dict(labels),
    )


async def past_or_limit(
    view: InstanceView, labels: Mapping[str, str], request: PastRequest
) -> diagnostics_pb2.InstanceHealth:
    """The same for one of many: an instance of which nothing is on record says so. Raises StorexError otherwise."""
    try:
        return await assess_past(view, labels, request)
    except StorexError as error:
        if error.reason not in (Reason.TIME_OUTSIDE_RETENTION, Reason.STORE_UNAVAILABLE):
            raise
        return diagnostics_pb2.InstanceHealth(
            observation=view.observation(view.clock.now(), None, limit_of(error)),
            checks=[_check(detector.kind, None) for detector in DETECTORS],
            labels=dict(labels),
        )


def _asked(request: PastRequest, now: float) -> Range:
    at = moment(request, "at", now)
    if at > now:
        raise StorexError(Reason.TIME_RANGE_INVALID, problem="the field at lies in the future")
    seconds = asked_seconds(request, "window", DEFAULT_WINDOW, shortest=SHORTEST_WINDOW, longest=LONGEST_WINDOW)
    return Range(at - seconds, at)


def _statements_request(asked: Range) -> diagnostics_pb2.ListTopQueriesRequest:
    window = Duration()
    window.FromMilliseconds(round(asked.seconds * 1000))
    return diagnostics_pb2.ListTopQueriesRequest(page_size=50, at=timestamp(asked.end), window=window)


def _slices(asked: Range) -> list[Range]:
    count = max(1, min(MOST_SLICES, int(asked.seconds // SHORTEST_SLICE)))
    each = asked.seconds / count
    return [Range(asked.start + number * each, asked.start + (number + 1) * each) for number in range(count)]


async def _of_statements(view: InstanceView, asked: Range) -> dict[str, Detection]:
    """By kind, the worst finding about each statement in any slice, dated by the first slice that shows it."""
    worst: dict[tuple[str, str], finding_pb2.Finding] = {}
    reasons: dict[str, str] = {}
    seen = False
    for part in _slices(asked):
        try:
            answer = await list_top_queries(view, _statements_request(part))
        except StorexError as error:
            if error.reason is not Reason.TIME_OUTSIDE_RETENTION:
                raise
            continue
        seen = seen or bool(answer.queries)
        readings = Readings({"list_top_queries": answer}, {}, History(), view.clock.monotonic(), part.end)
        for detector in _OF_STATEMENTS:
            detection = detector.detect(readings)
            reasons[detector.kind] = detection.reason or reasons.get(detector.kind, "")
            _keep_worst(worst, detection.findings, part)
    return {
        detector.kind: Detection(
            tuple(finding for (kind, _), finding in worst.items() if kind == detector.kind),
            f"At that time: {reasons[detector.kind]}" if seen else _NO_STATEMENTS,
            not_checked=not seen,
        )
        for detector in _OF_STATEMENTS
    }


def _keep_worst(
    worst: dict[tuple[str, str], finding_pb2.Finding], findings: Sequence[finding_pb2.Finding], part: Range
) -> None:
    for finding in findings:
        key = (finding.kind, finding.entities[0].value)
        before = worst.get(key)
        finding.onset.CopyFrom(timestamp(part.start) if before is None else before.onset)
        finding.confidence = min(finding.confidence, SUREST)
        if before is None or finding.impact > before.impact:
            worst[key] = finding
        else:
            before.onset.CopyFrom(finding.onset)


async def _of_counter(view: InstanceView, counted: _Counted, asked: Range) -> Detection:
    request = history_pb2.GetMetricHistoryRequest(
        metric=counted.metric, start=timestamp(asked.start), end=timestamp(asked.end)
    )
    answer = await get_metric_history(view, request)
    if not answer.points:
        return Detection(not_checked=True, reason="The counter that shows it was not recorded at that time.")
    place = max(range(len(answer.points)), key=lambda number: answer.points[number].mean)
    worst = answer.points[place]
    count = worst.mean * answer.step_seconds
    said = counted.sentence.format(count=count, step=answer.step_seconds)
    if count < counted.fewest:
        return Detection(reason=said)
    return Detection((_counted_finding(counted, answer, place, said),))


def _counted_finding(
    counted: _Counted, answer: history_pb2.GetMetricHistoryResponse, place: int, said: str
) -> finding_pb2.Finding:
    evidence: list[entity_pb2.Evidence] = [
        cite("get_metric_history", answer, f"points[{place}].mean", "The rate at the worst of that time."),
        cite("get_metric_history", answer, "step_seconds", "The span that it was measured over, in seconds."),
    ]
    return finding_pb2.Finding(
        kind=counted.kind,
        severity=finding_pb2.SEVERITY_WARNING,
        confidence=SUREST,
        onset=answer.points[place].at,
        summary=said,
        evidence=evidence,
        impact=answer.points[place].mean,
    )


def _check(kind: str, detection: Detection | None) -> finding_pb2.Check:
    if detection is None:
        return finding_pb2.Check(kind=kind, result=finding_pb2.CHECK_RESULT_NOT_CHECKED, reason=_GONE)
    if detection.findings:
        return finding_pb2.Check(kind=kind, result=finding_pb2.CHECK_RESULT_FOUND)
    result = finding_pb2.CHECK_RESULT_NOT_CHECKED if detection.not_checked else finding_pb2.CHECK_RESULT_CLEAR
    return finding_pb2.Check(kind=kind, result=result, reason=detection.reason)
