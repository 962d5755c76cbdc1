from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from libs.cli.report import report_markdown, report_view
from libs.cli.safe_text import visible
from storex.agent.v1.report_pb2 import Report, Verdict
from tests.unit.cli.reports import PLANTED, full_report

FACTS = [
    "CONFIRMED",
    "Connection 812 holds row locks",
    "97%",
    "connection 812, user",
    "connection 813",
    "KILL 812",
    "medium risk",
    "reads only",
    "Try again",
    "Could not be read",
    "written by builtin",
    "5 tool calls",
    "1.8 s",
    "1,234 tokens",
    "1 unproven claims struck",
]


def on_terminal(report: Report, *, colours: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, width=300, force_terminal=colours, color_system="standard" if colours else None)
    for part in report_view(report):
        console.print(part)
    return out.getvalue()


def test_a_terminal_shows_all_of_it_and_obeys_none_of_it() -> None:
    text = on_terminal(full_report(), colours=False)
    for fact in [*FACTS, "[1] get_lock_waits  holders[0].session.connection_id = 812", visible(PLANTED), "ses_1"]:
        assert fact in text
    assert "get_lock_waits x2, get_overview (error)" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


def test_colours_are_the_only_thing_that_steers_a_terminal() -> None:
    text = on_terminal(full_report(), colours=True)
    assert "\x1b[1;31mCONFIRMED" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", re.sub(r"\x1b\[[0-9;]*m", "", text))


def test_markdown_shows_all_of_it_and_obeys_none_of_it() -> None:
    page = report_markdown(full_report())
    unescaped = re.sub(r"\\([\\`*_{}\[\]<>()#+\-!|~&])", r"\1", page)
    for fact in FACTS:
        assert fact in unescaped
    outside_code = re.sub(r"(`+).*?[^`]\1(?!`)", "", page)
    assert "<script>" not in outside_code
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", page)


@pytest.mark.parametrize("verdict", list(Verdict.values()))
def test_a_report_with_nothing_in_it_is_still_one(verdict: Verdict.ValueType) -> None:
    report = Report(verdict=verdict, target="regions/eu", partial=True)
    word = Verdict.Name(verdict).removeprefix("VERDICT_") if verdict else "ANSWER"
    assert on_terminal(report, colours=False).startswith(f"{word}  regions/eu  partial\n")
    assert report_markdown(report).startswith(f"## {word}  regions/eu  partial\n")


def test_the_same_figure_of_many_sessions_is_one_line() -> None:
    report = Report(target="t")
    for position in (3, 5, 7):
        report.evidence.add(tool="get_lock_waits", path=f"waiters[{position}].root_connection_id", value="13")
        report.evidence.add(tool="get_lock_waits", path=f"waiters[{position}].wait_seconds", value=f"{position}.5")
    report.causal_chain.add(text="They wait.", evidence_refs=[0, 1, 2, 4, 5])
    text = on_terminal(report, colours=False)
    assert "  [1,3,5] get_lock_waits  waiters[*].root_connection_id = 13\n" in text
    assert "  [2,4,6] get_lock_waits  waiters[*].wait_seconds = 3.5, 5.5, 7.5\n" in text
    assert "They wait. [1-3,5-6]\n" in text


def with_ruled_out(*causes: str) -> Report:
    report = Report(target="t")
    for kind in causes:
        report.root_causes.add(kind=kind)
    report.ruled_out.add(kind="lock.metadata", reason="No session waits for metadata locks.")
    report.ruled_out.add(kind="query.missing_index", reason="Each statement used an index.")
    report.ruled_out.add(kind="query.temp_spill", reason="0 temporary tables.")
    exhausted = "There, but a consequence of lock.row_blocker: no connection is left."
    report.ruled_out.add(kind="connections.exhausted", reason=exhausted, consequence_of="lock.row_blocker")
    return report


def test_a_terminal_tells_why_what_is_close_to_the_cause_is_none_and_names_the_rest() -> None:
    text = on_terminal(with_ruled_out("lock.row_blocker"), colours=False)
    assert "  lock.metadata  No session waits for metadata locks.\n" in text
    assert "  connections.exhausted  There, but a consequence of lock.row_blocker: no connection is left.\n" in text
    assert text.rstrip().splitlines()[-3] == "  Also clear: query (missing index, temp spill)"
    assert "Each statement used an index." not in text


def test_without_a_cause_a_terminal_names_what_is_clear_and_markdown_tells_why() -> None:
    report = with_ruled_out()
    text = on_terminal(report, colours=False)
    assert "  Clear: lock (metadata); query (missing index, temp spill)\n" in text
    assert "Each statement used an index." in report_markdown(report)


def test_it_tells_when_it_was_written_and_whether_it_is_of_a_recording() -> None:
    report = Report(target="t", verdict=Verdict.VERDICT_CONFIRMED)
    report.created_at.FromJsonString("2026-11-30T21:45:07Z")
    assert "2026-11-30 21:45:07 UTC" in on_terminal(report, colours=False)
    report.limits.add(code="SNAPSHOT", message="This is how it was then.")
    assert on_terminal(report, colours=False).startswith("CONFIRMED  t  as a snapshot recorded it\n")
