"""Two services on one instance: what one does to the other is told as what it is, once."""

from __future__ import annotations

from pathlib import Path

from services.shard.verdict.relations import explains
from storex.diagnostics.v1 import diagnostics_pb2 as d
from storex.diagnostics.v1 import finding_pb2
from tests.integration.agent.scripted import running
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME, entity


def _exhausted() -> finding_pb2.Finding:
    return finding_pb2.Finding(
        id="full",
        kind="connections.exhausted",
        severity=finding_pb2.SEVERITY_CRITICAL,
        confidence=0.9,
        impact=4.0,
        summary="151 of 151 connections are in use; one owner has 120 of them.",
        entities=[entity("holder", "user", "payments_app"), entity("cause", "variable", "max_connections")],
    )


async def test_a_pool_that_another_services_lock_fills_is_a_consequence_of_the_lock(tmp_path: Path) -> None:
    blocker, full = answers.blocker_finding(), _exhausted()
    assert explains(blocker, full)
    blocker.explains.append(full.id)
    health = answers.health(full, blocker)
    async with running(tmp_path) as mesh:
        mesh.coordinator.answers.update(
            StreamHealth=[d.StreamHealthResponse(health=health)],
            GetOverview=answers.overview(),
            GetLockWaits=answers.lock_waits(),
            ListTopQueries=d.ListTopQueriesResponse(observation=answers.observation()),
        )
        report = (await mesh.ask("services/payments", "why is the connection pool of payments full?"))[-1].report
    assert [(cause.kind, cause.name) for cause in report.root_causes] == [("lock.row_blocker", NAME)]
    assert "orders_batch" in report.answer, "who is behind it is of another service than the one that suffers"
    (link,) = [link for link in report.causal_chain if link.effect == "connections.exhausted"]
    assert link.cause == "lock.row_blocker"
    assert [report.evidence[place].name for place in link.evidence_refs] == [NAME]
