"""A primary that keeps its replica behind, asked about through the whole mesh on real servers of each engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from libs.lab.engines import EngineBinary, require_engines
from libs.lab.fleet import LabFleet
from tests.e2e.command import Storex, running_mesh

pytestmark = [pytest.mark.engine, pytest.mark.slow]

PRIMARY = "regions/eu-west-1/instances/orders-1"
REPLICA = f"{PRIMARY}-replica"
_PATIENCE_SECONDS = 60.0


@pytest.fixture(scope="module", params=require_engines(), ids=lambda binary: f"{binary.kind}-{binary.version}")
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabFleet]:
    """One primary and its replica."""
    binary: EngineBinary = request.param
    directory = tmp_path_factory.mktemp("replicas")
    with LabFleet.start(directory, engines=[binary], only=["orders-1"], replicas_of=["orders-1"]) as running:
        yield running


@pytest.fixture(scope="module")
def storex(fleet: LabFleet) -> Iterator[Storex]:
    """A mesh in which a second team owns the replica, and somebody sees no more than that."""
    document = yaml.safe_load(fleet.config_path.read_text())
    document["regions"]["eu-west-1"]["instances"]["orders-1-replica"]["team"] = "reporting"
    document["users"]["orders-oncall"]["teams"] = ["orders", "reporting"]
    document["users"]["reporting-oncall"] = {"teams": ["reporting"], "roles": ["on-call"]}
    fleet.config_path.write_text(yaml.safe_dump(document, sort_keys=False))
    with running_mesh(fleet.config_path) as command:
        yield command


def _asked_until_behind(storex: Storex, target: str) -> dict[str, Any]:
    """The first report that names a cause: a lag needs its seconds to become one."""
    latest = time.monotonic() + _PATIENCE_SECONDS
    while True:
        report: dict[str, Any] = storex.json("ask", target, "why is the replica behind?", "--as", "orders-oncall")
        if report["root_causes"] or time.monotonic() > latest:
            return report
        time.sleep(1.0)


def test_the_primarys_statement_is_told_as_what_keeps_the_replica_behind(storex: Storex, fleet: LabFleet) -> None:
    with fleet.inject("replication.lag", "orders-1-replica") as incident:
        report = _asked_until_behind(storex, REPLICA)
        narrow = storex.json("ask", REPLICA, "why is the replica behind?", "--as", "reporting-oncall")
        region = storex.json("ask", "regions/eu-west-1", "why is the replica behind?", "--as", "orders-oncall")
    table = f"{fleet.instances['orders-1'].target.database}.{incident.injection.table}"
    for told in (report, region):
        assert [cause["kind"] for cause in told["root_causes"]].count("replication.lag") <= 1, "told once"
        links = [
            link for link in told["causal_chain"] if f"On {PRIMARY}, which {REPLICA} replicates from" in link["text"]
        ]
        assert len(links) == 1, told["causal_chain"]
        assert "UPDATE" in links[0]["text"]
        assert table in links[0]["text"]
        shown = {
            (told["evidence"][place]["name"], told["evidence"][place]["tool"]) for place in links[0]["evidence_refs"]
        }
        assert {(REPLICA, "get_replication"), (PRIMARY, "list_instances"), (PRIMARY, "list_top_queries")} <= shown
    assert [(cause["kind"], cause["name"]) for cause in report["root_causes"]] == [("replication.lag", REPLICA)]
    assert incident.truth.unmet(_causes(report)) == []
    assert "SOURCE_NOT_SEEN" not in {limit["code"] for limit in report["limits"]}
    assert "SOURCE_NOT_SEEN" in {limit["code"] for limit in narrow["limits"]}
    assert f"{PRIMARY}," not in str(narrow)
    assert PRIMARY not in {item["name"] for item in narrow["checked"]}


def _causes(report: dict[str, Any]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (cause["kind"], [(entity["role"], entity["type"], entity["value"]) for entity in cause["entities"]])
        for cause in report["root_causes"]
    ]
