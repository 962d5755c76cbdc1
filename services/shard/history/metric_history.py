"""One metric over a range of time."""

from __future__ import annotations

from dataclasses import dataclass

from libs.core.errors import Reason, StorexError
from services.shard.history.metrics import described, unknown_metric
from services.shard.history.ranges import Range, asked_range, asked_seconds, limits_of
from services.shard.history.recorded import archive_of, recording_limits, rounded
from services.shard.history.series import MOST_POINTS, gaps_in, in_steps, read_points, tier_for, usual_step
from services.shard.history.statement_metrics import STATEMENT_METRICS, recorded_work, statement_points
from services.shard.sampler.metrics import METRICS
from services.shard.stores.records import Point
from services.shard.stores.retention import SAMPLE_PERIODS
from services.shard.stores.store import HistoryStore
from services.shard.view import InstanceView, timestamp
from storex.common.v1 import entity_pb2
from storex.history.v1 import history_pb2

DEFAULT_SECONDS = 3600.0
"""The range when none is asked for."""
_LONGEST_STEP = 366 * 86_400.0


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the store."""

    name: str
    metric: str
    digest: str
    asked: Range
    step: float
    now: float


async def get_metric_history(
    view: InstanceView, request: history_pb2.GetMetricHistoryRequest
) -> history_pb2.GetMetricHistoryResponse:
    """Read the metric from the tiers that hold the range.

    Raises StorexError METRIC_UNKNOWN, STATEMENT_UNKNOWN, TIME_RANGE_INVALID, TIME_OUTSIDE_RETENTION, REQUEST_INVALID.
    """
    now, archive, name = view.clock.now(), archive_of(view), str(view.name)
    asked = asked_range(request, now, DEFAULT_SECONDS)
    step = asked_seconds(request, "step", usual_step(asked), shortest=1.0, longest=_LONGEST_STEP)
    if asked.seconds / step > MOST_POINTS:
        problem = f"it makes more than {MOST_POINTS} points of this range"
        raise StorexError(Reason.REQUEST_INVALID, field="step", problem=problem)
    _check_metric(request)
    limits = limits_of(asked, await archive.ask(lambda store: store.span(name)))
    reading = _statement if request.statement_digest else _instance
    question = _Question(name, request.metric, request.statement_digest, asked, step, now)
    points, spacing = await archive.ask(lambda store: reading(store, question))
    if spacing > step:
        limits.append(_coarser(spacing))
    step = max(step, spacing)
    return history_pb2.GetMetricHistoryResponse(
        observation=view.observation(now, None, *limits, *recording_limits(archive)),
        metric=described(request.metric),
        step_seconds=step,
        points=[_encoded(point) for point in in_steps(points, step)],
        gaps=[
            history_pb2.HistoryGap(start=timestamp(gap.start), end=timestamp(gap.end))
            for gap in gaps_in(points, asked, spacing)
        ],
    )


def _check_metric(request: history_pb2.GetMetricHistoryRequest) -> None:
    per_statement = request.metric in STATEMENT_METRICS
    if not per_statement and request.metric not in METRICS:
        unknown_metric(request.metric)
    if per_statement and not request.statement_digest:
        problem = "this metric is kept for each statement: say of which"
        raise StorexError(Reason.REQUEST_INVALID, field="statement_digest", problem=problem)
    if request.statement_digest and not per_statement:
        problem = "this metric is not kept for each statement"
        raise StorexError(Reason.REQUEST_INVALID, field="statement_digest", problem=problem)


def _instance(store: HistoryStore, question: _Question) -> tuple[list[Point], float]:
    tier = tier_for(question.asked, question.step, question.now)
    points = read_points(
        lambda t, start, end: store.series(question.name, question.metric, t, start, end), tier, question.asked
    )
    return points, SAMPLE_PERIODS.get(tier, 1.0)


def _statement(store: HistoryStore, question: _Question) -> tuple[list[Point], float]:
    if all(digest != question.digest for _, digest in store.statements(question.name)):
        raise StorexError(Reason.STATEMENT_UNKNOWN)
    pieces, spacing = recorded_work(store, question.name, question.asked, question.step, question.now)
    return statement_points(STATEMENT_METRICS[question.metric], question.digest, pieces), spacing


def _coarser(spacing: float) -> entity_pb2.Limit:
    message = f"From then, or of this metric, only one point in {spacing:g} seconds is kept."
    return entity_pb2.Limit(source="history", code="COARSER_THAN_ASKED", message=message)


def _encoded(point: Point) -> history_pb2.MetricPoint:
    return history_pb2.MetricPoint(
        at=timestamp(point.at), mean=rounded(point.mean), low=rounded(point.low), high=rounded(point.high)
    )
