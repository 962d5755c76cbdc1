from __future__ import annotations

import json
from pathlib import Path

import pytest

from libs.cli.__main__ import run

CONFIG = """\
users: {payments-oncall: {teams: [payments], roles: [on-call]}}
regions:
  eu:
    domain: gdpr
    instances:
      orders-1: {host: h, port: 1, user: u, password_env: P, team: orders}
      payments-1: {host: h, port: 2, user: u, password_env: P, team: payments}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "storex.yaml"
    path.write_text(CONFIG)
    return str(path)


def explain(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert run(["policy", "explain", "diagnostics.read", *arguments, "--json"]) == 0
    explained: dict[str, object] = json.loads(capsys.readouterr().out)
    return explained


def test_explain_names_the_rule_that_decides(capsys: pytest.CaptureFixture[str], file: str) -> None:
    own = explain(capsys, "payments-1", "-f", file, "--as", "payments-oncall")
    assert own["allowed"] is True
    assert str(own["rule"]).startswith("roles.csv:")
    assert own["clear_classes"] == ["PRINCIPAL", "PUBLIC", "SCHEMA"]
    others = explain(capsys, "regions/eu/instances/orders-1", "-f", file, "--as", "payments-oncall")
    assert (others["allowed"], others["clear_classes"]) == (False, [])
    with_agent = explain(capsys, "orders-1", "-f", file, "--agent")
    assert len(with_agent["principals"]) == 2  # type: ignore[arg-type]


def test_explain_tells_people_why_not(capsys: pytest.CaptureFixture[str], file: str) -> None:
    assert run(["policy", "explain", "diagnostics.read", "orders-1", "-f", file, "--as", "payments-oncall"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("denied: diagnostics.read on regions/eu/instances/orders-1\n")
    assert "the resource's team is orders, the rule wants payments" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["diagnostics.red", "orders-1"], 2, "diagnostics.read"),
        (["diagnostics.read", "order-1"], 6, "Did you mean regions/eu/instances/orders-1?"),
        (["diagnostics.read", "regions/eu/instances/other"], 6, "is not in"),
        (["diagnostics.read", "regions/eu"], 6, "is a region"),
        (["diagnostics.read", "orders-1", "--as", "nobody"], 6, "Known: admin, payments-oncall"),
    ],
)
def test_explain_says_what_there_is(
    capsys: pytest.CaptureFixture[str], file: str, arguments: list[str], status: int, told: str
) -> None:
    assert run(["policy", "explain", *arguments, "-f", file]) == status
    assert told in capsys.readouterr().err


def test_a_broken_policy_is_a_matter_of_configuration(capsys: pytest.CaptureFixture[str], file: str) -> None:
    folder = Path(file).parent / "rules"
    folder.mkdir()
    (folder / "own.csv").write_text("p, nonsense\n")
    Path(file).write_text(CONFIG + "policy: rules\n")
    assert run(["policy", "explain", "diagnostics.read", "orders-1", "-f", file]) == 3
    assert "own.csv" in capsys.readouterr().err


def test_the_incidents_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lab", "list", "--json"]) == 0
    listed = {incident["id"] for incident in json.loads(capsys.readouterr().out)["incidents"]}
    assert {"lock.row_blocker", "query.missing_index", "connections.leak", "healthy"} <= listed
    assert run(["lab", "list"]) == 0
    assert "lock.row_blocker " in capsys.readouterr().out


def test_the_demo_knows_its_incidents_before_it_starts_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--incident", "no.such"]) == 2
    assert "lock.row_blocker" in capsys.readouterr().err


_OF_A_SNAPSHOT = ("--snapshot", "regions/eu-west-1/instances/orders-1/snapshots/20261122-231504-8f1c22d0")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["orders-1"],
        ["orders-1", ""],
        ["orders-1", "  "],
        ["orders-1", *_OF_A_SNAPSHOT],
        ["regions/eu-west-1/instances/orders-1", *_OF_A_SNAPSHOT],
        ["regions/eu-west-1", "--session", "ses_1"],
    ],
)
def test_a_question_that_is_missing_is_asked_for(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", *words]) == 2
    assert "The question is missing." in capsys.readouterr().err


def test_a_lab_password_comes_from_a_variable_or_a_file_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LAB_PW", raising=False)
    assert run(["lab", "run", "healthy", "--host", "h", "--password-env", "LAB_PW"]) == 2
    assert "LAB_PW is not set" in capsys.readouterr().err
    assert run(["lab", "run", "healthy", "--host", "h", "--password", "x"]) == 2
