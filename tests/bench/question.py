"""`make bench BENCH=question`: seconds from question to report, against one health call to the same instance."""

from __future__ import annotations

import time

from libs.client import StorexClient
from storex.agent.v1.agent_pb2 import AskRequest
from storex.agent.v1.report_pb2 import Report
from storex.diagnostics.v1.diagnostics_pb2 import GetHealthRequest
from tests.bench.mesh import running_mesh
from tests.bench.rows import Row, percentile

INCIDENTS = ("healthy", "lock.row_blocker", "query.missing_index", "connections.leak")
QUESTIONS = 7


def run() -> list[Row]:
    """Measure each incident on an instance of its own; a report that misses the cause is a row of its own."""
    rows = []
    with running_mesh() as mesh, StorexClient(mesh.state.coordinator, mesh.administrator_token) as client:
        for incident, instance in zip(INCIDENTS, mesh.fleet.instances.values(), strict=False):
            running = mesh.fleet.inject(incident, instance.short_name)
            name = str(instance.name)
            health = [_seconds_of_health(client, name) for _ in range(QUESTIONS)]
            asked = [_ask(client, name) for _ in range(QUESTIONS)]
            right = sum(not running.truth.unmet(_causes(report)) for _, report in asked)
            rows.append(
                Row(
                    f"question.{incident}.p50",
                    percentile([seconds for seconds, _ in asked], 0.5),
                    "s",
                    percentile(health, 0.5),
                )
            )
            rows.append(Row(f"question.{incident}.right", right, "reports", QUESTIONS))
            running.stop()
    return rows


def _causes(report: Report) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (cause.kind, [(entity.role, entity.type, entity.value) for entity in cause.entities])
        for cause in report.root_causes
    ]


def _seconds_of_health(client: StorexClient, name: str) -> float:
    started = time.perf_counter()
    client.call(client.diagnostics.GetHealth, GetHealthRequest(name=name))
    return time.perf_counter() - started


def _ask(client: StorexClient, name: str) -> tuple[float, Report]:
    started = time.perf_counter()
    report = Report()
    for answer in client.stream(client.agent.Ask, AskRequest(target=name, question="why is it slow?")):
        if answer.HasField("report"):
            report = answer.report
    return time.perf_counter() - started, report
