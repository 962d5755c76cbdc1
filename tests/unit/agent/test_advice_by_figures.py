"""What is advised and said to have changed, by the figures of the readings."""

from __future__ import annotations

import pytest

from services.agent.report.sizing import how_it_goes_on
from services.shard.detectors.innodb_redo_stall import detect
from storex.agent.v1 import report_pb2
from storex.common.v1 import entity_pb2
from tests.unit.agent import answers
from tests.unit.agent.answers import NAME, entity
from tests.unit.agent.recorded import claimed, health_record, record, report_on
from tests.unit.shard import test_redo_state as redo
from tests.unit.shard.findings import readings


@pytest.mark.parametrize(("gibibytes", "advised"), [(0.0078125, True), (20, True), (32, False), (64, False)])
def test_a_redo_log_is_never_advised_to_be_made_smaller(gibibytes: float, advised: bool) -> None:
    answer = redo.state(capacity_bytes=int(gibibytes * 1024**3))
    [finding] = detect(readings(get_redo_state=redo.state())).findings
    records = [health_record(answers.health(finding)), record("get_redo_state", answer)]
    steps = [step.command for step in report_on(records, claimed(finding)).next_steps]
    sizes = [int(step.rpartition("= ")[2]) for step in steps if step.startswith("SET GLOBAL")]
    assert bool(sizes) is advised
    assert all(size > gibibytes * 1024**3 for size in sizes)


def _report(idle: dict[int, int], program: str = "profile-sync") -> report_pb2.Report:
    report = report_pb2.Report(verdict=report_pb2.VERDICT_CONFIRMED)
    for place, value in idle.items():
        report.evidence.append(
            entity_pb2.Evidence(tool="get_connections", name=NAME, path=f"groups[{place}].idle", value=str(value))
        )
    report.root_causes.add(
        kind="connections.leak",
        name=NAME,
        entities=[entity("holder", "program", program)],
        evidence_refs=range(len(idle)),
    )
    return report


def test_a_figure_that_rose_is_told_as_worse() -> None:
    assert how_it_goes_on(_report({1: 120}), _report({0: 60})).startswith("Yes, worse")


def test_figures_of_a_list_with_several_are_not_taken_for_one_another() -> None:
    said = how_it_goes_on(_report({0: 5, 1: 120}), _report({0: 120, 1: 5}))
    assert said == "About the same as before."


def test_another_clients_figures_say_nothing_of_this_one() -> None:
    assert how_it_goes_on(_report({0: 120}), _report({0: 60}, "another")) == "About the same as before."
