"""Each thing that lint looks for, found where it is and nowhere else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from libs.policy.lint import CODES, lint, lint_folder
from libs.policy.snapshot import build_policy
from tests.bench.policy.fleet import rule_file
from tests.unit.policy.people import FixedClock

ALLOW = "p, user:eve, {}, fleet.read, schema, never, allow"

FOUND = [
    ("expired", 1, ["p, user:eve, team=a, fleet.read, schema, 2020-01-01, allow"]),
    (
        "expired",
        2,
        ["role, r", "g, user:eve, role:r, 2020-01-01", "p, role:r, team=a, fleet.read, schema, never, deny"],
    ),
    ("unreachable", 1, ["p, service:ci, team=$own, fleet.read, schema, never, allow"]),
    ("unreachable", 1, ["role, idle, nobody wrote its rules"]),
    ("duplicate", 2, [ALLOW.format("team=a"), ALLOW.format("team=a")]),
    ("shadowed", 1, [ALLOW.format("team=a region=eu-west-1"), ALLOW.format("region=eu-*")]),
    ("shadowed", 1, [ALLOW.format("region=eu-west-1"), ALLOW.format("region=us-1|eu-west-1")]),
    ("shadowed", 1, [ALLOW.format("team=$own region=us-1"), ALLOW.format("team=$own")]),
    ("shadowed", 1, [ALLOW.format("team=a"), "p, user:eve, team=a, fleet.*, principal, never, allow"]),
    ("shadowed", 1, [ALLOW.format("team=a"), "p, *, team=a|b, *, public, never, deny"]),
    ("over-broad", 1, [ALLOW.format("*")]),
    ("over-broad", 1, [ALLOW.format("region=*")]),
    ("over-broad", 1, ["p, *, team=a, fleet.read, public, never, allow"]),
]
FINE = [
    [ALLOW.format("team=a"), ALLOW.format("team=b")],
    [ALLOW.format("region=eu-*"), ALLOW.format("region=eu-west-*")],
    [ALLOW.format("team=a"), "p, user:eve, team=a, fleet.read, principal, 2040-01-01, allow"],
    [ALLOW.format("team=a"), "p, user:eve, team=a, fleet.read, principal, never, deny"],
    [ALLOW.format("team=a|b"), "p, user:eve, team=a, *, public, never, deny"],
    ["# accepted(over-broad): eve wrote the fleet", ALLOW.format("*")],
    ["p, *, *, agent.ask, public, never, deny"],
]


def findings(lines: list[str]) -> list[tuple[str, int]]:
    text = build_policy({"a.csv": ("\n".join(lines) + "\n").encode()}).text
    return [(problem.code, problem.line) for problem in lint(text, FixedClock().now())]


@pytest.mark.parametrize(("code", "line", "lines"), FOUND)
def test_a_finding_is_told_with_its_line(code: str, line: int, lines: list[str]) -> None:
    assert findings(lines) == [(code, line)]


@pytest.mark.parametrize("lines", FINE)
def test_what_is_in_order_is_left_alone(lines: list[str]) -> None:
    assert findings(lines) == []


def test_files_that_disagree_are_a_conflict(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ALLOW.format("team=a") + "\n")
    (tmp_path / "b.csv").write_text("p, user:eve, team=a, fleet.read, public, never, deny\n")
    (problem,) = lint_folder(tmp_path)
    assert (problem.code, problem.file) == ("conflict", "a.csv")
    assert "b.csv:1" in problem.message


def test_a_comment_accepts_its_own_code_and_its_own_rule_only() -> None:
    assert findings(["# accepted(shadowed): no", ALLOW.format("*")]) == [("over-broad", 2)]
    assert findings(["# accepted(over-broad):", ALLOW.format("*")]) == [("over-broad", 2)]
    assert findings(["# accepted(over-broad): why", "", ALLOW.format("*")]) == [("over-broad", 3)]


def test_the_built_in_policy_and_a_regions_files_are_linted(tmp_path: Path) -> None:
    assert lint_folder(None) == []
    own = tmp_path / "regions" / "eu-west-1"
    own.mkdir(parents=True)
    (own / "old.csv").write_text("p, *, *, *, public, 2020-01-01, deny\n")
    (problem,) = lint_folder(tmp_path)
    assert (problem.file, problem.code) == ("regions/eu-west-1/old.csv", "expired")


def test_every_code_is_explained_and_shown_above() -> None:
    assert {code for code, _, _ in FOUND} | {"conflict"} == CODES.keys()


def test_lint_takes_seconds_not_minutes_on_many_rules() -> None:
    text = build_policy({"fleet.csv": b"role, viewer\nrole, on-call\n" + rule_file(1, 20_000)}).text
    started = time.process_time()
    assert any(lint(text, FixedClock().now()))
    assert time.process_time() - started < 20
