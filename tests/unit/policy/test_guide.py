"""The policy that the guide shows loads, passes its own tables, and is all that lint could wish."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from libs.policy.lint import CODES, lint_folder
from libs.policy.tables import OUTCOMES, run_tables
from tests.unit.policy.people import FixedClock

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "write-a-policy.md"
SHOWN = re.compile(r"`policy/(\S+?)`:\n\n```(?:csv|yaml)\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = SHOWN.findall(GUIDE.read_text(encoding="utf-8"))
    assert [name for name, _ in files] == ["payments.csv", "regions/eu-west-1/principals.csv", "payments.test.yaml"]
    for name, content in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path


def test_the_policy_in_the_guide_does_what_its_table_says(folder: Path) -> None:
    report = run_tables(folder)
    assert report.failures == ()
    assert report.checked == 8


def test_the_policy_in_the_guide_has_no_findings_while_it_holds(folder: Path) -> None:
    assert lint_folder(folder, clock=FixedClock(1_800_000_000.0)) == []


def test_the_guide_names_what_a_table_can_expect_and_what_lint_accepts() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert all(f"`{outcome}`" in text for outcome in OUTCOMES)
    assert any(f"accepted({code})" in text for code in CODES)
