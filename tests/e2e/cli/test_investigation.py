from __future__ import annotations

import time
from typing import Any

import pytest

from libs.cli.commands.demo import SETTLE_SECONDS
from libs.lab.fleet import LabFleet
from tests.e2e.command import Storex

pytestmark = pytest.mark.engine

INSTANCE = "regions/eu-west-1/instances/payments-1"


def causes_of(report: dict[str, Any]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (cause["kind"], [(entity["role"], entity["type"], entity["value"]) for entity in cause["entities"]])
        for cause in report["root_causes"]
    ]


def test_an_on_call_engineer_asks_and_asks_again(storex: Storex, fleet: LabFleet) -> None:
    with fleet.inject("lock.row_blocker", "payments-1") as incident:
        report = storex.json("ask", INSTANCE, "why is payments in eu-west slow?", "--as", "payments-oncall")
        assert incident.truth.unmet(causes_of(report)) == []
        assert report["verdict"] == "VERDICT_CONFIRMED"
        holder = next(value for role, type_, value in incident.truth.entities if type_ == "connection_id")
        assert any(step["command"] == f"KILL {holder}" for step in report["next_steps"])
        follow_up = storex.run(
            "ask", "--session", report["session_id"], "which client is it?", "--as", "payments-oncall"
        )
        assert follow_up.status == 0, follow_up.stderr
        assert "reconciliation-job" in follow_up.stdout
        others = storex.run("ask", "--session", report["session_id"], "which client is it?", "--as", "orders-oncall")
        assert others.status == 6


@pytest.mark.parametrize(
    ("incident_id", "instance"),
    [("query.missing_index", "orders-1"), ("connections.leak", "orders-2"), ("healthy", "users-1")],
)
def test_the_cause_is_found(storex: Storex, fleet: LabFleet, incident_id: str, instance: str) -> None:
    with fleet.inject(incident_id, instance) as incident:
        time.sleep(SETTLE_SECONDS)
        until = time.monotonic() + 30  # a leak grows as fast as the machine lets it; how soon it is found is measured
        report = storex.json("ask", instance, "why is it slow?")
        while incident.truth.unmet(causes_of(report)) and time.monotonic() < until:
            report = storex.json("ask", instance, "why is it slow?")
    assert incident.truth.unmet(causes_of(report)) == []
    # A mesh that has just come up cannot tell yet who sends more than before.
    assert {limit["code"] for limit in report["limits"]} <= {"TRAFFIC_NOT_SAMPLED"}


def test_people_see_steps_and_a_pipe_gets_the_report(storex: Storex) -> None:
    asked = storex.run("ask", "payments-2", "is it healthy?")
    assert asked.status == 0, asked.stderr
    assert asked.stdout.startswith("HEALTHY  regions/eu-central-1/instances/payments-2\n")
    assert "written by builtin" in asked.stdout
    assert "get_health" in asked.stderr
    assert "\x1b" not in asked.stdout + asked.stderr
    page = storex.run("ask", "service:payments", "is it healthy?", "--markdown")
    assert page.stdout.startswith("## HEALTHY")


def test_what_cannot_be_asked_about_is_told(storex: Storex) -> None:
    unknown = storex.run("ask", "payment-1", "why is it slow?")
    assert unknown.status == 6
    assert INSTANCE in unknown.stderr
    assert storex.run("ask", "payments-1").status == 2
    assert storex.run("ask", "payments-1", "why?", "--at", "soon").status == 2
