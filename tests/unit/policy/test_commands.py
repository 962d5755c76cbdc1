"""`storex policy test` and `storex policy lint`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from libs.cli.__main__ import run

TABLE = """\
principals:
  vera: {teams: [payments], roles: [viewer]}
resources:
  orders-1: {region: eu-west-1, domain: gdpr, cloud: aws, environment: prod, team: payments}
cases:
  - {who: vera, what: [fleet.read, agent.ask], where: orders-1, expect: schema}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "roles.test.yaml").write_text(TABLE)
    return tmp_path


def test_tables_that_hold_end_well(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(["policy", "test", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"checked": 2, "problems": []}


def test_a_case_that_fails_fails_the_command(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "stop.csv").write_text("p, user:vera, *, agent.ask, public, never, deny\n")
    assert run(["policy", "test", str(folder)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "roles.test.yaml:6: vera agent.ask orders-1: expected schema, got deny (stop.csv:1)\n"
    assert shown.err == "2 checked, 1 failed\n"


def test_lint_reads_the_folder_of_the_configuration(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    config = folder / "storex.yaml"
    config.write_text("policy: .\nregions: {eu: {domain: gdpr, instances: {}}}\n")
    assert run(["policy", "lint", "-f", str(config)]) == 0
    (folder / "wide.csv").write_text("p, *, team=payments, fleet.read, public, never, allow\n")
    capsys.readouterr()
    assert run(["policy", "lint", "-f", str(config), "--json"]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["file"], problem["line"], problem["code"]) == ("wide.csv", 1, "over-broad")


@pytest.mark.parametrize("command", ["test", "lint"])
def test_a_policy_that_cannot_be_read_is_a_matter_of_configuration(
    capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    (folder / "bad.csv").write_text("p, nonsense\n")
    assert run(["policy", command, str(folder)]) == 3
    assert "bad.csv:1" in capsys.readouterr().err


def test_explain_decides_as_the_regions_shard_does(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    config = folder / "storex.yaml"
    instance = "{host: h, port: 1, user: u, password_env: P, team: payments}"
    config.write_text(f"policy: .\nregions: {{eu: {{domain: gdpr, instances: {{orders-1: {instance}}}}}}}\n")
    own = folder / "regions" / "eu"
    own.mkdir(parents=True)
    (own / "closed.csv").write_text("p, *, *, diagnostics.read, public, never, deny\n")
    assert run(["policy", "explain", "diagnostics.read", "orders-1", "-f", str(config), "--json"]) == 0
    explained = json.loads(capsys.readouterr().out)
    assert (explained["allowed"], explained["rule"]) == (False, "regions/eu/closed.csv:1")
