from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest

from tests.e2e.command import Storex, until

pytestmark = pytest.mark.engine


def service(storex: Storex, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in storex.json("status")["services"] if item["name"] == name)
    return found


def test_the_fleet_and_its_health_are_listed(storex: Storex) -> None:
    status = storex.json("status")
    assert status["state"] == "ready"
    assert {item["state"] for item in status["services"]} == {"ready"}
    listed = storex.json("fleet")
    assert [region["name"] for region in listed["regions"]] == [
        "regions/eu-central-1",
        "regions/eu-west-1",
        "regions/us-east-1",
    ]
    assert {region["health"] for region in listed["regions"]} == {"HEALTH_UP"}
    assert len(listed["instances"]) == 5
    assert listed["region_errors"] == []
    shown = storex.run("fleet").stdout
    assert re.search(r"regions/eu-west-1/instances/payments-1 +payments +service=payments", shown)
    assert "\x1b" not in shown


def test_a_user_sees_what_their_team_owns(storex: Storex) -> None:
    listed = storex.json("fleet", "--as", "payments-oncall")
    assert {instance["team"] for instance in listed["instances"]} == {"payments"}
    hidden = storex.run("diag", "overview", "regions/eu-west-1/instances/orders-1", "--as", "payments-oncall")
    absent = storex.run("diag", "overview", "regions/eu-west-1/instances/orders-9", "--as", "payments-oncall")
    assert (hidden.status, hidden.stdout) == (absent.status, absent.stdout) == (6, "")
    assert "orders-1" not in hidden.stderr


@pytest.mark.parametrize(
    "collector",
    ["overview", "processes", "lock_waits", "transactions", "innodb_status", "top_queries", "connections", "variables"],
)
def test_each_collector_answers(storex: Storex, collector: str) -> None:
    answer = storex.json("diag", collector, "payments-1")
    assert answer["observation"]["name"] == "regions/eu-west-1/instances/payments-1"
    assert answer["observation"]["limits"] == []
    shown = storex.run("diag", collector.replace("_", "-"), "payments-1")
    assert "observation.observed_at" in shown.stdout


def test_request_fields_can_be_set(storex: Storex) -> None:
    answer = storex.json(
        "diag", "variables", "payments-1", "--set", "prefix=innodb_buffer_pool_s", "--set", "page_size=1"
    )
    assert [variable["variable"] for variable in answer["variables"]] == ["innodb_buffer_pool_size"]
    assert storex.run("diag", "variables", "payments-1", "--set", "nonsense=1").status == 2


def test_a_second_mesh_is_refused_and_the_first_goes_on(storex: Storex) -> None:
    refused = storex.run("up")
    assert refused.status == 1
    assert "already running" in refused.stderr
    assert storex.json("status")["state"] == "ready"


@pytest.mark.parametrize("name", ["shard-us-east-1", "coordinator", "agent", "judge"])
def test_a_killed_service_comes_back(storex: Storex, name: str) -> None:
    before = service(storex, name)
    os.kill(before["pid"], signal.SIGKILL)
    until(lambda: (now := service(storex, name))["restarts"] > before["restarts"] and now["state"] == "ready")
    assert service(storex, name)["last_exit"] == "killed by SIGKILL"
    until(lambda: storex.run("diag", "overview", "orders-2", "--json").status == 0)
    until(lambda: storex.run("ask", "us-east-1", "is all well?", "--json").status == 0)


def test_a_dead_region_is_a_retryable_error_and_the_others_answer(storex: Storex) -> None:
    shard = service(storex, "shard-us-east-1")
    os.kill(shard["pid"], signal.SIGSTOP)
    try:
        failed = storex.run("diag", "overview", "regions/us-east-1/instances/orders-2", "--json")
        assert failed.status == 4
        assert "Traceback" not in failed.stderr
        assert json.loads(failed.stderr)["error"]["message"]
        assert storex.run("diag", "overview", "regions/eu-west-1/instances/payments-1").status == 0
        listed = storex.json("fleet")
        assert {instance["name"].split("/")[1] for instance in listed["instances"]} >= {"eu-west-1", "eu-central-1"}
        assert [error["name"] for error in listed["region_errors"]] == ["regions/us-east-1"]
    finally:
        os.kill(shard["pid"], signal.SIGCONT)
    until(lambda: storex.run("diag", "overview", "regions/us-east-1/instances/orders-2").status == 0)
