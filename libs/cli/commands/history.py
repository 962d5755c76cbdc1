"""`storex history`: one metric of an instance over time, or which metrics there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import RenderableType

from libs.cli.output import Output, proto_json, table_of
from libs.cli.past import AtOption, NameArgument, call, full_name, limits_in, moment_of, written
from libs.cli.safe_text import plain
from libs.cli.session import FileOption, JsonOption, SnapshotOption, StateDirOption, UserOption, connect
from libs.cli.times import parse_span
from storex.history.v1.history_pb2 import (
    GetMetricHistoryRequest,
    GetMetricHistoryResponse,
    ListMetricsRequest,
    ListMetricsResponse,
)

_ROWS = 30
"""Points that people are shown where they do not say how fine."""
_BAR = 40
"""Characters of the longest bar."""


def history(
    name: NameArgument,
    metric: Annotated[str | None, typer.Argument(help="The metric; without it they are listed.")] = None,
    at: AtOption = None,
    span: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long before that: 10m, 1h, 7d.")] = "1h",
    step: Annotated[str | None, typer.Option("--step", metavar="DURATION", help="The time between points.")] = None,
    digest: Annotated[str, typer.Option("--digest", help="The statement, for a metric kept per statement.")] = "",
    snapshot: SnapshotOption = "",
    file: FileOption = None,
    state_dir: StateDirOption = None,
    user: UserOption = "admin",
    as_json: JsonOption = False,
) -> None:
    """Show a metric of an instance over time; without a metric, which there are."""
    output = Output(as_json=as_json)
    with connect(file, state_dir, user, snapshot) as client:
        full = full_name(client, name)
        if metric is None:
            listed = call(client, client.history.ListMetrics, ListMetricsRequest(name=full))
        else:
            request = GetMetricHistoryRequest(name=full, metric=metric, statement_digest=digest)
            _set_times(request, moment_of(at, client), parse_span(span), step, as_json=as_json)
            answer = call(client, client.history.GetMetricHistory, request)
    if as_json:
        output.json(proto_json(listed if metric is None else answer))
    else:
        output.show(*(_metrics_view(listed) if metric is None else _view(answer)))


def _set_times(
    request: GetMetricHistoryRequest, end: datetime, span: timedelta, step: str | None, *, as_json: bool
) -> None:
    request.end.FromDatetime(end)
    request.start.FromDatetime(end - span)
    if step is not None:
        request.step.FromTimedelta(parse_span(step))
    elif not as_json:
        request.step.FromSeconds(max(1, round(span.total_seconds() / _ROWS)))


def _metrics_view(answer: ListMetricsResponse) -> Iterator[RenderableType]:
    rows = [(one.metric, one.unit, one.description) for one in answer.metrics]
    yield table_of(("metric", "unit", "what it is"), rows)
    if answer.HasField("oldest"):
        yield plain(f"\nOn record: {written(answer.oldest)} to {written(answer.newest)} UTC")


def _view(answer: GetMetricHistoryResponse) -> Iterator[RenderableType]:
    metric = answer.metric
    yield plain(f"{metric.metric} ({metric.unit}), every {answer.step_seconds:g} s, UTC", "bold")
    yield plain(metric.description)
    top = max((point.high for point in answer.points), default=0.0)
    rows = [
        (written(p.at), f"{p.mean:,.6g}", f"{p.low:,.6g}", f"{p.high:,.6g}", _bar(p.mean, top)) for p in answer.points
    ]
    yield table_of(("from", "mean", "low", "high", ""), rows)
    for gap in answer.gaps:
        yield plain(f"Nothing was recorded from {written(gap.start)} to {written(gap.end)}.")
    yield from map(plain, limits_in(answer.observation))


def _bar(value: float, top: float) -> str:
    return "#" * round(_BAR * max(0.0, value) / top) if top > 0 else ""
