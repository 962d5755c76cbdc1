"""The question of what is normal."""

from __future__ import annotations

from services.shard.history.metrics import unknown_metric
from services.shard.history.normal import Normals, read_normals
from services.shard.history.ranges import Range, asked_seconds, limits_of, moment
from services.shard.history.recorded import archive_of, recording_limits, rounded
from services.shard.sampler.metrics import METRICS
from services.shard.view import InstanceView, timestamp
from storex.common.v1 import entity_pb2
from storex.history.v1 import history_pb2

DEFAULT_WINDOW = 60.0
SHORTEST_WINDOW, LONGEST_WINDOW = 5.0, 6 * 3600.0

_TOO_LITTLE = entity_pb2.Limit(
    source="history",
    code="BASELINE_MISSING",
    message="Too little was recorded before that time to say what is normal.",
    remedy="Ask again once half an hour has been recorded.",
)


async def get_normal(view: InstanceView, request: history_pb2.GetNormalRequest) -> history_pb2.GetNormalResponse:
    """Compare a window with the baselines of the same series.

    Raises StorexError METRIC_UNKNOWN, TIME_RANGE_INVALID, TIME_OUTSIDE_RETENTION, REQUEST_INVALID.
    """
    now, archive, name = view.clock.now(), archive_of(view), str(view.name)
    for metric in request.metrics:
        if metric not in METRICS:
            unknown_metric(metric)
    at = min(now, moment(request, "at", now))
    seconds = asked_seconds(request, "window", DEFAULT_WINDOW, shortest=SHORTEST_WINDOW, longest=LONGEST_WINDOW)
    window = Range(at - seconds, at)
    limits = limits_of(window, await archive.ask(lambda store: store.span(name)))
    found = await archive.ask(lambda store: read_normals(store, name, window, now))
    if not found.baselines and not limits:
        limits.append(_TOO_LITTLE)
    wanted = request.metrics or [metric for metric in METRICS if metric in found.current or metric in found.baselines]
    normals = [_normal(metric, found) for metric in dict.fromkeys(wanted)]
    return history_pb2.GetNormalResponse(
        observation=view.observation(now, None, *limits, *recording_limits(archive)),
        window_start=timestamp(window.start),
        window_end=timestamp(window.end),
        normals=sorted(normals, key=lambda one: (not one.unusual, -abs(one.deviation))),
    )


def _normal(metric: str, found: Normals) -> history_pb2.Normal:
    unit = METRICS[metric].unit
    normal = history_pb2.Normal(metric=metric, unit=unit)
    current, baseline = found.current.get(metric), found.baselines.get(metric)
    if current is not None:
        normal.current = rounded(current)
    if baseline is None:
        return normal
    normal.basis = found.basis
    normal.median = rounded(baseline.median)
    normal.median_absolute_deviation = rounded(baseline.deviation)
    normal.fifth_percentile = rounded(baseline.fifth)
    normal.ninety_fifth_percentile = rounded(baseline.ninety_fifth)
    normal.sample_count, normal.day_count = baseline.count, found.days
    if current is not None:
        normal.deviation = rounded(baseline.deviations(current, unit))
        normal.unusual = baseline.is_unusual(current, unit)
    return normal
