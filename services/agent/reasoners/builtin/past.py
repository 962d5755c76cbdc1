"""A time that is over, investigated from the record: what the shard finds in it, and what surrounded it."""

from __future__ import annotations

from datetime import UTC, datetime

from libs.core.errors import Reason, StorexError
from services.agent.inquiry import CallTools, Conclude, Hypothesis, Inquiry, ToolRequest
from services.agent.reasoners.builtin.findings import root_causes
from services.agent.reasoners.builtin.intent import Intent
from services.agent.reasoners.builtin.lookup import minutes_of, moment_of, requests_for
from services.agent.records import Records
from services.agent.report.draft import Draft, Topic
from storex.history.v1 import history_pb2

TOPICS = (Topic.METRICS, Topic.STATEMENTS, Topic.CHANGES)
_ALWAYS = ("sessions_waiting_for_locks", "threads_running", "refused_connections_per_second", "deadlocks_per_second")
_MOST_SERIES = 6
_PLAN = (
    "Read what the shard finds in its record of {target}, from {start} to {end}.",
    "Read what was unusual then, which statements cost most, and what changed.",
    "Check every claim against what was read, and report; nothing of the past is sure.",
)


class InvestigatePast:
    """Moves of one investigation of a time that is over."""

    def __init__(self, intent: Intent) -> None:
        self._intent = intent
        self._step = 0

    def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """The shard's findings; then what surrounds them; then the conclusion.

        Raises StorexError TIME_OUTSIDE_RETENTION where the record of an instance does not reach there.
        """
        self._step += 1
        records = inquiry.records.of_turn(inquiry.turn)
        if self._step == 1:
            return CallTools(_first_look(inquiry), plan=_plan(inquiry))
        _check_reach(inquiry, records)
        causes = root_causes(records)
        if self._step == 2:
            names = _worth_reading(inquiry, records)
            topics = (*TOPICS, *self._intent.topics)
            wanted = (*requests_for(topics, inquiry, fleet=self._intent.fleet, names=names), *_series(inquiry, records))
            raised = tuple(Hypothesis(cause.kind, cause.confidence, f"on record of {cause.name}") for cause in causes)
            if wanted:
                return CallTools(wanted, hypotheses=raised)
        return Conclude(self.conclude(inquiry))

    def conclude(self, inquiry: Inquiry) -> Draft:
        """What this question's records come to."""
        causes = tuple(root_causes(inquiry.records.of_turn(inquiry.turn)))
        return Draft(
            causes=causes,
            aspects=self._intent.aspects,
            topics=(*TOPICS, *self._intent.topics),
            asked_kinds=self._intent.kinds,
        )


def _plan(inquiry: Inquiry) -> tuple[str, ...]:
    end = inquiry.at or inquiry.asked_at
    moments = {"start": _utc(end - inquiry.window_seconds), "end": _utc(end)}
    return tuple(step.format(target=inquiry.target.text, **moments) for step in _PLAN)


def _utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _first_look(inquiry: Inquiry) -> tuple[ToolRequest, ...]:
    name = str(inquiry.target.name)
    when = {"until": moment_of(inquiry), "minutes": minutes_of(inquiry)}
    if not inquiry.target.is_instance:
        return (ToolRequest("stream_health", {"name": name, **dict(inquiry.target.labels), **when}),)
    reach = ToolRequest("list_metrics", {"name": name})
    around = requests_for((Topic.METRICS,), inquiry, fleet=False, names=[name])
    return ToolRequest("get_health", {"name": name, **when}), reach, *around


def _worth_reading(inquiry: Inquiry, records: Records) -> list[str]:
    """The instance; of many, those on which something was found."""
    if inquiry.target.is_instance:
        return [str(inquiry.target.name)]
    return [name for name, record in records.health().items() if record.health is not None and record.health.findings]


def _series(inquiry: Inquiry, records: Records) -> tuple[ToolRequest, ...]:
    """The histories of what was least normal, and of what tells of queues and refusals."""
    if not inquiry.target.is_instance:
        return ()
    name = str(inquiry.target.name)
    record = records.latest("get_normal", name)
    answer = record.message if record is not None else None
    normals = answer.normals if isinstance(answer, history_pb2.GetNormalResponse) else ()
    unusual = [one.metric for one in normals if one.unusual]
    wanted = list(dict.fromkeys((*unusual, *_ALWAYS)))[:_MOST_SERIES]
    when = {"minutes": minutes_of(inquiry), "until": moment_of(inquiry)}
    return tuple(ToolRequest("get_metric_history", {"name": name, "metric": metric, **when}) for metric in wanted)


def _check_reach(inquiry: Inquiry, records: Records) -> None:
    if not inquiry.target.is_instance:
        return
    failed = [record for record in records if record.tool == "get_health" and record.message is None]
    if not any(record.reason == Reason.TIME_OUTSIDE_RETENTION.name for record in failed):
        return
    kept = records.latest("list_metrics", str(inquiry.target.name))
    answer = kept.message if kept is not None else None
    oldest = newest = "nothing"
    if isinstance(answer, history_pb2.ListMetricsResponse) and answer.HasField("oldest"):
        oldest, newest = answer.oldest.ToJsonString(), answer.newest.ToJsonString()
    raise StorexError(Reason.TIME_OUTSIDE_RETENTION, oldest=oldest, newest=newest)
