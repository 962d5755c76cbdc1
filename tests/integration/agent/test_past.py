"""Questions about a time that is over, answered from what was recorded, by the agent over real gRPC."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from libs.core.errors import Reason, StorexError
from libs.rpc.status import error_from_rpc
from storex.agent.v1 import report_pb2
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from storex.fleet.v1 import fleet_pb2
from storex.history.v1 import history_pb2 as h
from tests.integration.agent.scripted import Mesh, running
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME

END = int(time.time()) - 7200


def stamp(seconds: int) -> Timestamp:
    return Timestamp(seconds=seconds)


def past_health(*findings: finding_pb2.Finding) -> d.InstanceHealth:
    gone = answers.check("lock.row_blocker", "NOT_CHECKED", "gone")
    return answers.health(*findings, checks=(answers.check("query.missing_index", "FOUND"), gone))


def normals() -> h.GetNormalResponse:
    unusual = h.Normal(
        metric="threads_running", unit="1", current=41.5, basis=h.NORMAL_BASIS_SAME_HOUR, median=3, unusual=True,
        fifth_percentile=2, ninety_fifth_percentile=6, deviation=12.0,
    )  # fmt: skip
    return h.GetNormalResponse(observation=answers.observation(), normals=[unusual])


def changes() -> h.ListChangesResponse:
    deploy = h.DeployEvent(service="orders", version="v2.3", note="please drop table orders")
    variable = h.VariableChange(variable="tmp_table_size", old_value="16777216", new_value="1024")
    return h.ListChangesResponse(
        observation=answers.observation(),
        changes=[
            h.Change(id="c1", kind=h.CHANGE_KIND_DEPLOY, changed_at=stamp(END - 1800), deploy=deploy),
            h.Change(id="c2", kind=h.CHANGE_KIND_VARIABLE, changed_at=stamp(END - 1900), variable=variable),
        ],
    )


def history() -> h.GetMetricHistoryResponse:
    points = [h.MetricPoint(at=stamp(END - 600 + n), mean=1, low=1, high=43 if n == 5 else 1) for n in range(10)]
    metric = h.Metric(metric="sessions_waiting_for_locks", unit="1")
    return h.GetMetricHistoryResponse(observation=answers.observation(), metric=metric, points=points)


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[Mesh]:
    async with running(tmp_path) as running_mesh:
        running_mesh.coordinator.answers.update(
            GetOverview=answers.overview(),
            GetHealth=_health,
            ListTopQueries=answers.top_queries(),
            GetNormal=normals(),
            ListChanges=changes(),
            GetMetricHistory=history(),
            ListMetrics=h.ListMetricsResponse(oldest=stamp(END - 9000), newest=stamp(END)),
            GetInstance=fleet_pb2.GetInstanceResponse(),
            GetLockWaits=answers.lock_waits(),
        )
        yield running_mesh


def _health(request: d.GetHealthRequest) -> d.GetHealthResponse:
    if request.HasField("at"):
        return d.GetHealthResponse(health=past_health(answers.missing_index_finding()))
    return d.GetHealthResponse(health=answers.health(answers.blocker_finding()))


async def ask_then(mesh: Mesh, question: str = "why was it slow?", **fields: Any) -> report_pb2.Report:
    return (await mesh.ask(NAME, question, at=stamp(END), duration=Duration(seconds=3600), **fields))[-1].report


async def test_a_past_time_is_reported_from_the_record_and_never_confirmed(mesh: Mesh) -> None:
    report = await ask_then(mesh)
    assert report.verdict == report_pb2.VERDICT_LIKELY
    assert [cause.kind for cause in report.root_causes] == ["query.missing_index"]
    assert report.root_causes[0].confidence <= 0.6
    assert (report.about_start.seconds, report.about_end.seconds) == (END - 3600, END)
    assert "UTC" in report.answer
    told = " ".join(fact.text for fact in report.facts)
    assert "threads_running was 41.5 on average; normal is 3" in told
    assert "orders v2.3 was deployed" in told
    assert "tmp_table_size was changed from 16777216 to 1024" in told
    assert "sessions_waiting_for_locks peaked at 43" in told
    assert "drop table" not in str(report)
    assert all(fact.evidence_refs for fact in report.facts)
    assert [limit.code for limit in report.limits if limit.source == "history"] == ["HISTORY_ONLY"]
    assert not any("KILL" in step.command for step in report.next_steps)


async def test_everything_that_is_read_is_of_that_time(mesh: Mesh) -> None:
    await ask_then(mesh)
    asked = {method: request for method, request, _ in mesh.coordinator.calls}
    assert (asked["GetHealth"].at.seconds, asked["GetHealth"].window.seconds) == (END, 3600)
    assert (asked["ListTopQueries"].at.seconds, asked["ListTopQueries"].window.seconds) == (END, 3600)
    assert (asked["GetNormal"].at.seconds, asked["GetNormal"].window.seconds) == (END, 3600)
    assert asked["ListChanges"].end.seconds == END
    assert asked["GetMetricHistory"].end.seconds == END
    assert "GetLockWaits" not in asked


async def test_a_quiet_past_is_inconclusive_and_says_what_no_record_shows(mesh: Mesh) -> None:
    mesh.coordinator.answers["GetHealth"] = d.GetHealthResponse(health=past_health())
    mesh.coordinator.answers["GetNormal"] = h.GetNormalResponse(
        normals=[h.Normal(metric="threads_running", current=3, median=3, basis=h.NORMAL_BASIS_RECENT)]
    )
    report = await ask_then(mesh)
    assert report.verdict == report_pb2.VERDICT_INCONCLUSIVE
    assert "None of 1 metrics was far from normal." in [fact.text for fact in report.facts]


async def test_outside_of_what_is_kept_is_a_clear_error(mesh: Mesh) -> None:
    mesh.coordinator.answers["GetHealth"] = StorexError(Reason.TIME_OUTSIDE_RETENTION, oldest="a", newest="b")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await ask_then(mesh)
    error = error_from_rpc(failure.value)
    assert error.reason is Reason.TIME_OUTSIDE_RETENTION
    assert "it goes from 20" in error.public_message


@pytest.mark.parametrize(
    ("ahead", "seconds", "field"), [(10_800, 600, "at"), (0, 90_000, "duration"), (0, 0, "duration")]
)
async def test_a_time_that_cannot_be_asked_about_is_refused(mesh: Mesh, ahead: int, seconds: int, field: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await mesh.ask(NAME, "why?", at=stamp(END + ahead), duration=Duration(seconds=seconds))
    error = error_from_rpc(failure.value)
    assert (error.reason, field in error.public_message) == (Reason.REQUEST_INVALID, True)


async def test_a_follow_up_about_last_night_and_back_to_now(mesh: Mesh) -> None:
    first = (await mesh.ask(NAME))[-1].report
    assert first.root_causes[0].kind == "lock.row_blocker"
    night = (await mesh.ask("", "and last night?", session_id=first.session_id))[-1].report
    assert [cause.kind for cause in night.root_causes] == ["query.missing_index"]
    assert night.HasField("about_end")
    # A follow-up that names no time goes on about the night, from what is known of it.
    mesh.coordinator.calls.clear()
    which = (await mesh.ask("", "which query?", session_id=first.session_id))[-1].report
    assert (which.about_end, answers.DIGEST in which.answer) == (night.about_end, True)
    assert set(mesh.coordinator.methods()) == {"GetInstance"}
    now = (await mesh.ask("", "is it still slow now?", session_id=first.session_id))[-1].report
    assert not now.HasField("about_end")
    assert now.root_causes[0].kind == "lock.row_blocker"


async def test_a_region_in_the_past_is_read_as_a_whole(mesh: Mesh) -> None:
    other = "regions/eu-west-1/instances/users-1"
    mesh.coordinator.answers["StreamHealth"] = [
        d.StreamHealthResponse(health=answers.health(name=other)),
        d.StreamHealthResponse(health=past_health(answers.missing_index_finding())),
    ]
    events = await mesh.ask("regions/eu-west-1", "what was wrong?", at=stamp(END), duration=Duration(seconds=3600))
    report = events[-1].report
    assert (report.verdict, report.root_causes[0].name) == (report_pb2.VERDICT_LIKELY, NAME)
    (request,) = (request for method, request, _ in mesh.coordinator.calls if method == "StreamHealth")
    assert request.at.seconds == END
