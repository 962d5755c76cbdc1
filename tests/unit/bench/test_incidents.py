"""The measures of investigations: a check that cannot fail would measure nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storex.agent.v1 import report_pb2
from tests.bench.incidents.cells import Cell
from tests.bench.incidents.grounds import Answer, unsupported, values_of
from tests.bench.incidents.summary import bootstrap, rows_of, wilson
from tests.unit.agent import answers
from tests.unit.agent.recorded import claimed, health_record, record, report_on

_RECORDS = [
    record("get_overview", answers.overview()),
    health_record(answers.health(answers.blocker_finding())),
    record("get_lock_waits", answers.lock_waits()),
]
_ANSWERS = [
    Answer(entry.call_id, entry.tool, entry.name, values_of(entry.message)) for entry in _RECORDS if entry.message
]


def _report() -> report_pb2.Report:
    return report_on(_RECORDS, claimed(answers.blocker_finding()))


def _set_value(report: report_pb2.Report) -> None:
    report.evidence[0].value = "813"


def _set_path(report: report_pb2.Report) -> None:
    report.evidence[0].path = "holders[7].session.connection_id"


def _set_place(report: report_pb2.Report) -> None:
    report.evidence[0].name = "regions/eu-west-1/instances/orders-2"


def _cite_nothing(report: report_pb2.Report) -> None:
    del report.causal_chain[0].evidence_refs[:]


def _cite_beyond(report: report_pb2.Report) -> None:
    report.root_causes[0].evidence_refs.append(99)


def _invent_figure(report: report_pb2.Report) -> None:
    report.root_causes[0].summary += " It lasts for 4,711 s."


def _count_one_more(report: report_pb2.Report) -> None:
    link = next(link for link in report.causal_chain if link.evidence_refs)
    cited = [report.evidence[position].value for position in link.evidence_refs]
    highest = max(int(value) for value in cited if value.isdecimal())
    link.text += f" It is {highest + 1:,}."


def _change_unit(report: report_pb2.Report) -> None:
    report.root_causes[0].summary = report.root_causes[0].summary.replace("38 s", "38 ms")


def _invent_entity(report: report_pb2.Report) -> None:
    report.root_causes[0].entities.add(role="victim", type="connection_id", value="999")


def _rule_out(report: report_pb2.Report) -> None:
    report.ruled_out.add(kind="capacity.disk_full", reason="Plenty is left.")


@pytest.mark.parametrize(
    "change",
    [
        _set_value,
        _set_path,
        _set_place,
        _cite_nothing,
        _cite_beyond,
        _invent_figure,
        _count_one_more,
        _change_unit,
        _invent_entity,
        _rule_out,
    ],
)
def test_each_kind_of_unsupported_claim_is_seen(change: Callable[[report_pb2.Report], None]) -> None:
    report = _report()
    claims, problems = unsupported(report, _ANSWERS)
    assert claims > 20
    assert problems == []
    change(report)
    assert unsupported(report, _ANSWERS)[1]


def test_a_healthy_verdict_needs_every_check() -> None:
    checks = (answers.check("lock.row_blocker"), answers.check("query.missing_index", "NOT_CHECKED"))
    health = health_record(answers.health(checks=checks))
    assert health.message is not None
    report = report_on([health])
    report.verdict = report_pb2.VERDICT_HEALTHY
    recorded = [Answer(health.call_id, health.tool, health.name, values_of(health.message))]
    assert "It says healthy, but not every check was made." in unsupported(report, recorded)[1]


def test_intervals() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(39, 39)
    assert low == pytest.approx(0.910, abs=0.001)
    assert high == 1.0
    low, high = wilson(8, 10)
    assert low == pytest.approx(0.490, abs=0.001)
    assert high == pytest.approx(0.943, abs=0.001)
    low, high = bootstrap([1.0] * 20, 0.5)
    assert low == high == 1.0
    low, high = bootstrap([float(value) for value in range(100)], 0.5)
    assert 35 < low < 50 < high < 65


def _cell(incident: str, told: list[str], verdict: str = "CONFIRMED", wrong: tuple[str, ...] = ()) -> Cell:
    exact = told == ([] if incident.startswith("healthy") else [incident])
    return Cell(
        incident, "", "MariaDB", "10.11", "", verdict=verdict, told=told, exact=exact, wrong=list(wrong), seconds=1.0
    )


def test_cells_are_counted_by_what_came_of_them() -> None:
    cells = [
        _cell("lock.row_blocker", ["lock.row_blocker"]),
        _cell("lock.metadata", ["lock.metadata"], wrong=("holder connection_id 9 was named.",)),
        _cell("query.heavy_scan", ["query.missing_index"], wrong=("query.heavy_scan was not reported.",)),
        _cell("healthy", [], "HEALTHY"),
        _cell("healthy.busy", ["traffic.spike"], "LIKELY"),
        Cell("traffic.spike", "", "MariaDB", "10.11", "", unmade="It could not be made."),
    ]
    rows = {row.name: (row.value, row.baseline) for row in rows_of(cells)}
    assert rows["incidents.exact"] == (2, 3)
    assert rows["incidents.entities_right"] == (1, 3)
    assert rows["incidents.holder_right"] == (1, 2)
    assert rows["incidents.controls_silent"] == (1, 2)
    assert rows["incidents.wrongly_confirmed"] == (2, None)
