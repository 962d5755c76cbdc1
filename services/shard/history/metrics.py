"""Which metrics there are, and the question for them."""

from __future__ import annotations

import difflib
from typing import NoReturn

from libs.core.errors import Reason, StorexError
from services.shard.history.recorded import archive_of, recording_limits
from services.shard.history.statement_metrics import STATEMENT_METRICS
from services.shard.sampler.metrics import METRICS
from services.shard.view import InstanceView, timestamp
from storex.history.v1 import history_pb2


async def list_metrics(view: InstanceView, _request: history_pb2.ListMetricsRequest) -> history_pb2.ListMetricsResponse:
    """All metrics, and from when to when anything is kept."""
    began, archive = view.clock.now(), archive_of(view)
    kept = await archive.ask(lambda store: store.span(str(view.name)))
    response = history_pb2.ListMetricsResponse(
        observation=view.observation(began, None, *recording_limits(archive)),
        metrics=[described(name) for name in (*METRICS, *STATEMENT_METRICS)],
    )
    if kept is not None:
        response.oldest.CopyFrom(timestamp(kept[0]))
        response.newest.CopyFrom(timestamp(kept[1]))
    return response


def described(name: str) -> history_pb2.Metric:
    """A metric that there is, as answers describe it."""
    if name in STATEMENT_METRICS:
        found = STATEMENT_METRICS[name]
        return history_pb2.Metric(metric=name, unit=found.unit, description=found.text, per_statement=True)
    metric = METRICS[name]
    return history_pb2.Metric(metric=name, unit=metric.unit, description=metric.text)


def unknown_metric(wanted: str) -> NoReturn:
    """Raise StorexError METRIC_UNKNOWN, which names metrics that look like the wanted one."""
    known = [*METRICS, *STATEMENT_METRICS]
    near = difflib.get_close_matches(wanted.lower(), known, n=3, cutoff=0.4)
    near = near or [name for name in known if set(wanted.lower().split("_")) & set(name.split("_"))][:3]
    raise StorexError(Reason.METRIC_UNKNOWN, near=f" Near it: {', '.join(near)}." if near else "")
