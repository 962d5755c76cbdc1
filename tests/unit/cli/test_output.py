from __future__ import annotations

import json

import pytest
from rich.text import Text

from libs.cli.__main__ import run
from libs.cli.message_view import message_view
from libs.cli.output import Output, RowsView, proto_json, table_of
from storex.agent.v1.report_pb2 import Report, Verdict
from storex.diagnostics.v1.diagnostics_pb2 import GetLockWaitsResponse, InstanceHealth


def answer() -> GetLockWaitsResponse:
    message = GetLockWaitsResponse()
    message.observation.name = "regions/eu/instances/a"
    message.observation.observed_at.FromJsonString("2026-11-22T02:30:00Z")
    message.observation.limits.add(code="PRIVILEGE_MISSING", message="\x1b[31m")
    holder = message.holders.add(blocked_sessions=2, longest_wait_seconds=1.25, kind=1)
    holder.session.connection_id = 812
    return message


def test_any_answer_is_shown_as_figures_and_tables(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).show(*message_view(answer()))
    shown = capsys.readouterr().out
    assert "\nobservation.observed_at        2026-11-22 02:30:00 UTC\n" in shown
    assert "observation.limits (1)\n" in shown
    assert "PRIVILEGE_MISSING  \\x1b[31m\n" in shown
    header, row = shown.split("holders (1)\n")[1].split("\n")[:2]
    assert dict(zip(header.split(), row.split(), strict=True)) == {
        "session.connection_id": "812",
        "blocked_sessions": "2",
        "longest_wait_seconds": "1.25",
        "kind": "LOCK_KIND_ROW",
    }
    assert "waiters" not in shown


def test_maps_and_nested_lists_are_shown_too() -> None:
    health = InstanceHealth(labels={"b": "2", "a": "1"})
    health.findings.add(kind="lock.row_blocker", explains=["x", "y"]).entities.add(role="holder", value="812")
    titles = [part.plain for part in message_view(health) if isinstance(part, Text)]
    assert titles == ["", "findings (1)", "", "findings[0].entities (1)"]


def test_zero_and_no_are_figures_and_unknown_is_not() -> None:
    message = GetLockWaitsResponse()
    message.holders.add(blocked_sessions=2, longest_wait_seconds=1.5)
    message.holders.add(blocked_sessions=0)
    (table,) = [part for part in message_view(message) if isinstance(part, RowsView)]
    assert [dict(zip(table.columns, row, strict=True)) for row in table.rows] == [
        {"blocked_sessions": "2", "longest_wait_seconds": "1.5"},
        {"blocked_sessions": "0", "longest_wait_seconds": "0"},
    ]


def test_json_has_proto_names_defaults_and_prefixed_enums() -> None:
    data = proto_json(Report(verdict=Verdict.VERDICT_CONFIRMED))
    assert data["verdict"] == "VERDICT_CONFIRMED"
    assert data["root_causes"] == []
    assert data["written_by"] == ""


def test_a_pipe_gets_whole_lines_without_padding(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=False).show(table_of(("a", "b"), [("x" * 300, "y"), ("z", "")]))
    assert capsys.readouterr().out == f"{'a'.ljust(300)}  b\n{'x' * 300}  y\nz\n"


def test_failures_are_a_sentence_and_a_status(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(folder)
    assert run(["fleet"]) == 3
    assert capsys.readouterr().err == (
        "There is no storex.yaml here.\nName one with -f, or the state directory with --state-dir.\n"
    )
    assert run(["fleet", "--state-dir", "s", "--json"]) == 4
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["reason"] == "NOT_RUNNING"
    (folder / "storex.yaml").write_text("regions: {r: {domain: d, instances: {}}}\nx: 1\n")
    assert run(["status"]) == 3
    assert f"{folder}/storex.yaml:2: unknown key 'x'" in capsys.readouterr().err
    assert run(["diag", "nonsense", "x"]) == 2
    assert "lock_waits" in capsys.readouterr().err
    assert run(["no-such-command"]) == 2
    assert run(["--help"]) == 0


def test_down_has_nothing_to_do_without_a_mesh(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert run(["down", "--state-dir", str(tmp_path_factory.mktemp("s")), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": False}


def test_a_bug_is_told_without_a_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("inner text")

    monkeypatch.setattr("libs.cli.__main__.app", broken)
    assert run([]) == 1
    told = capsys.readouterr().err
    assert "Something went wrong inside storex (ZeroDivisionError)." in told
    assert "inner text" not in told
