"""A person records an incident, lets it end, and asks for it again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from libs.cli.failures import ExitStatus
from libs.lab.fleet import LabFleet
from tests.e2e.command import Storex, until

pytestmark = pytest.mark.engine

NAME = "regions/eu-west-1/instances/payments-1"


RECORDED = "regions/eu-central-1/instances/payments-2"


def causes(storex: Storex, *options: str, name: str = NAME) -> set[str]:
    report = storex.json("ask", name, "why is it slow?", *options)
    return {cause["kind"] for cause in report["root_causes"]}


def test_an_incident_that_is_over_is_asked_for_in_its_snapshot(storex: Storex, fleet: LabFleet, tmp_path: Path) -> None:
    incident = fleet.inject("lock.row_blocker", "payments-1")
    try:
        until(lambda: causes(storex) == {"lock.row_blocker"})
        made = storex.json("snapshot", "create", "payments-1")
    finally:
        incident.stop()
    assert made["took_seconds"] < 1.5
    asked = ("--snapshot", made["name"])
    assert causes(storex, *asked) == {"lock.row_blocker"}
    report = storex.json("ask", "why is it slow?", *asked)  # whose it is stands in its name
    assert report["target"] == NAME
    assert "SNAPSHOT" in {limit["code"] for limit in report["limits"]}
    health = storex.json("diag", "health", "payments-1", *asked)["health"]
    assert health["observation"]["snapshot"] == made["name"]
    assert storex.run("history", "payments-1", "queries_per_second", *asked).status == 0
    assert made["name"] in {one["name"] for one in storex.json("snapshot", "list", NAME)}

    copy = tmp_path / "incident.world"
    assert storex.run("snapshot", "export", made["name"], "--plain", "-o", str(copy)).status == 0
    assert storex.run("snapshot", "delete", made["name"]).status == 0
    gone = storex.run("diag", "health", NAME, *asked)
    assert (gone.status, "has been destroyed" in gone.stderr) == (ExitStatus.FAILED, True)
    again = storex.json("snapshot", "import", NAME, str(copy))
    assert causes(storex, "--snapshot", again["name"]) == {"lock.row_blocker"}
    assert again["captured_at"] == made["captured_at"]


def test_an_investigation_leaves_a_world_that_becomes_a_scenario(
    storex: Storex, fleet: LabFleet, tmp_path: Path
) -> None:
    with fleet.inject("lock.row_blocker", "payments-2"):
        until(lambda: causes(storex, name=RECORDED) == {"lock.row_blocker"})
        asked = ("ask", RECORDED, "why is it slow?")
        report = storex.json(*asked, "--as", "payments-oncall")
        viewed = storex.json(*asked, "--as", "payments-viewer")
    [name] = report["snapshots"]
    [made] = storex.json("snapshot", "list", RECORDED)
    assert (made["name"], made["trigger"]) == (name, "SNAPSHOT_TRIGGER_INVESTIGATION"), "all these questions, one world"
    assert not viewed["snapshots"]
    assert "you may not" in {limit["code"]: limit["message"] for limit in viewed["limits"]}["SNAPSHOT_NOT_MADE"]
    scenario = {"scenario_id": "left-behind", "world": name, "questions": ["why is it slow?"]}
    path = tmp_path / "scenario.yaml"
    path.write_text(yaml.safe_dump(scenario | {"truth": {"root_causes": [{"kind": "lock.row_blocker"}]}}))
    assert storex.run("judge", "add", str(path)).status == 0
    assert causes(storex, "--snapshot", name, name=RECORDED) == {"lock.row_blocker"}
