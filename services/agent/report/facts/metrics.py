"""Which figures were far from normal, and where they peaked."""

from __future__ import annotations

from collections.abc import Iterator

from services.agent.records import Record
from services.agent.report.facts.fact import Fact, Seen, figure, place, stated, utc
from storex.history.v1 import history_pb2 as h

MOST = 5
_PEAK_RATIO = 2.0
"""So many times its mean a metric's high has to be to be called a peak."""
_BASES = {
    h.NORMAL_BASIS_SAME_HOUR: "the same hour of the days before",
    h.NORMAL_BASIS_RECENT: "the time right before",
}


def metrics(seen: Seen) -> list[Fact]:
    """The unusual metrics, the least normal first, and the peaks that histories show."""
    facts = [
        fact for record, answer in seen.answers("get_normal", h.GetNormalResponse) for fact in _of(record, answer, seen)
    ]
    return [*facts, *peaks(seen)]


def _of(record: Record, answer: h.GetNormalResponse, seen: Seen) -> Iterator[Fact]:
    judged = [one for one in answer.normals if one.basis in _BASES and one.HasField("current")]
    unusual = [number for number, one in enumerate(answer.normals) if one.unusual][:MOST]
    for number in unusual:
        yield _unusual(record, answer.normals[number], number, seen)
    if judged and not unusual:
        text = f"None of {len(judged)} metrics{place(record, seen)} was far from normal."
        yield stated(text, record, ("window_start", "From when it was compared."), ("window_end", "Until when."))


def _unusual(record: Record, one: h.Normal, number: int, seen: Seen) -> Fact:
    unit = "" if one.unit in ("1", "ratio") else f" {one.unit}"
    text = (
        f"{one.metric}{place(record, seen)} was {figure(one.current)}{unit} on average; normal is {figure(one.median)}"
        f" ({figure(one.fifth_percentile)} to {figure(one.ninety_fifth_percentile)}), by {_BASES[one.basis]}."
    )
    at = f"normals[{number}]"
    return stated(
        text,
        record,
        (f"{at}.metric", "The metric."),
        (f"{at}.current", "Its mean over the time asked about."),
        (f"{at}.median", "What is normal for it."),
        (f"{at}.deviation", "How far from it that is, in robust standard deviations."),
    )


def peaks(seen: Seen) -> list[Fact]:
    """Where recorded metrics peaked, for those that stood out within the time asked about."""
    facts = []
    for record in seen.records:
        answer = record.message
        if (
            record.tool != "get_metric_history"
            or not isinstance(answer, h.GetMetricHistoryResponse)
            or not answer.points
        ):
            continue
        number = max(range(len(answer.points)), key=lambda entry: answer.points[entry].high)
        mean = sum(point.mean for point in answer.points) / len(answer.points)
        if answer.points[number].high >= max(1.0, _PEAK_RATIO * mean):
            facts.append(_peak(record, answer, number, mean))
    return facts[:MOST]


def _peak(record: Record, answer: h.GetMetricHistoryResponse, number: int, mean: float) -> Fact:
    point, metric = answer.points[number], answer.metric
    unit = "" if metric.unit in ("1", "ratio") else f" {metric.unit}"
    text = f"{metric.metric} peaked at {figure(point.high)}{unit} at {utc(point.at)}; its mean was {figure(mean)}."
    at = f"points[{number}]"
    return stated(
        text,
        record,
        ("metric.metric", "The metric."),
        (f"{at}.high", "Its highest value."),
        (f"{at}.at", "When that was."),
    )
