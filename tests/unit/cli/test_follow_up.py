from __future__ import annotations

import io

from rich.console import Console

from libs.cli.report import follow_up_view
from storex.agent.v1.report_pb2 import Report
from tests.unit.cli.reports import full_report


def shown(report: Report, before: Report) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=200, highlight=False, markup=False)
    for part in follow_up_view(report, before):
        console.print(part)
    return [line.strip() for line in out.getvalue().splitlines() if line.strip()]


def test_the_answer_comes_first_and_what_was_said_before_is_only_counted() -> None:
    before, report = full_report(), full_report()
    report.answer = "It does not get worse."
    lines = shown(report, before)
    assert lines[0] == "It does not get worse."
    assert not any("KILL 812" in line or "get_lock_waits" in line for line in lines)
    [told] = [line for line in lines if line.startswith("As before:")]
    assert "root cause (1)" in told
    assert "--whole" in told
    assert "CONFIRMED" in lines[1]
    assert "written by builtin" in lines[-1]


def test_what_is_new_is_shown_with_its_evidence_by_the_numbers_that_it_has() -> None:
    before, report = full_report(), full_report()
    report.facts.add(text="Fifteen sessions wait now.", evidence_refs=[1])
    report.next_steps.add(text="Ask its owner.", command="SELECT 1")
    report.root_causes[0].confidence = 0.5
    lines = shown(report, before)
    assert "Fifteen sessions wait now. [2]" in lines
    assert any("Ask its owner." in line for line in lines)
    assert any(line.startswith("lock.row_blocker  50%") for line in lines)
    assert not any("KILL 812" in line for line in lines)


def test_timers_that_moved_are_nothing_new_and_other_figures_are() -> None:
    before, report = full_report(), full_report()
    for one, seconds in ((before, 38), (report, 44)):
        one.root_causes[0].summary = f"It holds rows that 3 sessions wait for, the longest for {seconds} s."
        one.causal_chain.add(text=f"Connection 812 has been idle for {seconds:.1f} s.")
        one.ruled_out.add(kind="lock.deadlock", reason=f"0 deadlocks in {seconds + 20} s.")
    lines = shown(report, before)
    assert not any("longest for" in line or "idle for" in line or "0 deadlocks" in line for line in lines)
    report.root_causes[0].summary = "It holds rows that 9 sessions wait for, the longest for 44 s."
    assert any("9 sessions" in line for line in shown(report, before))


def test_a_cause_that_is_named_no_longer_is_told() -> None:
    before, report = full_report(), full_report()
    del report.root_causes[:]
    assert "No longer named: lock.row_blocker" in shown(report, before)
    assert not [line for line in shown(report, Report()) if line.startswith("As before")]
