"""Tables beside the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from libs.policy import PolicyError
from libs.policy.tables import run_tables

HEAD = """\
principals:
  olaf: {teams: [payments], roles: [on-call]}
  vera: {teams: [payments], roles: [viewer]}
  agent: {subject: service:agent}
resources:
  orders-1: {region: eu-west-1, domain: gdpr, cloud: aws, environment: prod, team: payments}
  search-1: {region: us-east-1, domain: us, cloud: aws, environment: prod, team: search}
cases:
"""
RPC = "storex.diagnostics.v1.DiagnosticsService/GetHealth"


def write(folder: Path, cases: str, name: str = "roles.test.yaml") -> None:
    (folder / name).write_text(HEAD + cases)


def test_a_table_that_holds_is_counted_case_by_case(tmp_path: Path) -> None:
    write(
        tmp_path,
        "  - {who: [olaf, vera], what: [fleet.read, diagnostics.read, agent.ask], where: orders-1, expect: allow}\n"
        "  - {who: vera, through: agent, what: diagnostics.read, where: orders-1, expect: schema}\n"
        f"  - {{who: olaf, through: agent, what: {RPC}, where: orders-1, expect: principal}}\n"
        "  - {who: [olaf, vera, agent], what: diagnostics.read, where: search-1, expect: deny}\n",
    )
    report = run_tables(tmp_path)
    assert (report.checked, report.failures) == (11, ())


def test_a_case_that_fails_is_told_with_its_line_and_the_deciding_rule(tmp_path: Path) -> None:
    write(tmp_path, "  - {who: [olaf, vera], what: fleet.read, where: orders-1, expect: principal}\n")
    report = run_tables(tmp_path)
    (failure,) = report.failures
    assert (failure.file, failure.line) == ("roles.test.yaml", 9)
    assert failure.message == "vera fleet.read orders-1: expected principal, got schema (roles.csv:12)"
    assert report.checked == 2


def test_a_case_can_speak_of_a_moment_and_a_region_narrows(tmp_path: Path) -> None:
    (tmp_path / "lent.csv").write_text("g, user:vera, role:on-call, 2027-01-01\n")
    own = tmp_path / "regions" / "eu-west-1"
    own.mkdir(parents=True)
    (own / "ask.csv").write_text("p, *, *, agent.ask, public, never, deny\n")
    write(
        tmp_path,
        "  - {who: vera, what: fleet.read, where: orders-1, expect: principal, at: '2026-12-31T23:59:59Z'}\n"
        "  - {who: vera, what: fleet.read, where: orders-1, expect: schema, at: '2027-01-01'}\n"
        "  - {who: [olaf, vera], what: agent.ask, where: orders-1, expect: deny}\n",
    )
    assert run_tables(tmp_path).failures == ()


@pytest.mark.parametrize(
    ("cases", "told"),
    [
        ("  - {who: nobody, what: fleet.read, where: orders-1, expect: deny}\n", ":9: nobody is not among"),
        ("  - {who: olaf, what: fleet.read, where: mars, expect: deny}\n", ":9: mars is not among"),
        ("  - {who: olaf, what: fleet.read, where: orders-1, expect: maybe}\n", ":9: expect is one of"),
        ("  - {who: olaf, what: fleet.read, expect: deny}\n", ":9: a case has"),
        ("  - {who: olaf, what: fleet.read, where: orders-1, expect: deny, at: soon}\n", ":9: at is"),
        ("  []\n", "cases is an empty list"),
        ("  - {who: [\n", "not readable as YAML"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, cases: str, told: str) -> None:
    write(tmp_path, cases)
    with pytest.raises(PolicyError, match=told):
        run_tables(tmp_path)


def test_an_unknown_permission_fails_its_case_even_where_a_denial_is_expected(tmp_path: Path) -> None:
    write(tmp_path, "  - {who: olaf, what: fleet.raed, where: orders-1, expect: deny}\n")
    assert "no such permission" in run_tables(tmp_path).failures[0].message


def test_a_folder_without_a_table_is_not_a_success(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="holds no table"):
        run_tables(tmp_path)
