from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from rich.console import Console

from libs.cli.failures import CommandError
from libs.cli.judge.junit import comparison_junit
from libs.cli.judge.labels import labels_page, read_labels
from libs.cli.judge.markdown import comparison_markdown
from libs.cli.judge.tables import comparison_view, run_view
from storex.judge.v1.comparison_pb2 import Comparison
from storex.judge.v1.judge_pb2 import Run
from tests.unit.judge.graded import failed, graded_run, grading


def graded() -> Run:
    made = graded_run("new", [grading({"accuracy/says": True, "accuracy/not_else": False}), failed()])
    made.outcomes[0].report.answer = "It holds <b>locks</b>.\nEnd it."
    return made


def comparison() -> Comparison:
    made = Comparison(baseline_name="now", candidate_name="new", passed=True, kappa=0.5)
    made.agreements.add(scorer="judged_accuracy", kappa=0.72, labels=24, gates=True)
    made.agreements.add(scorer="judged_helpfulness", labels=0, reason="there are no labels by people")
    made.notes.append("2 of 26 labels are of reports that this model did not grade, or by another rubric.")
    return made


def test_a_page_is_filled_in_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "labels.yaml"
    page = labels_page(graded())
    assert "answers:\n    says:\n    not_else:\n" in page, "empty, and blind to what the model said"
    assert "End it." in page
    path.write_text(page.replace("says:\n", "says: yes\n").replace("not_else:\n", "not_else: no\n"))
    found = read_labels(path)
    assert [(one.run_id, one.scenario_id, one.repeat, one.rubric, one.question_id, one.yes) for one in found] == [
        ("run-new", "s00", 0, "standard@1", "says", True),
        ("run-new", "s00", 0, "standard@1", "not_else", False),
    ]
    path.write_text(page.replace("says:\n", "says: yes\n"))
    assert len(read_labels(path)) == 1, "what is left empty counts as none"


def test_a_run_that_nobody_graded_has_nothing_to_label() -> None:
    with pytest.raises(CommandError, match="No report of run-new is graded") as refused:
        labels_page(graded_run("new", [failed()]))
    assert "storex judge run run-new --rubric" in refused.value.remedy


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, "no list"),
        ([], "gives no answer"),
        ([{"run_id": "r", "scenario_id": "s", "rubric": "q@1", "answers": {"q": None}}], "gives no answer"),
        ([{"run_id": "r", "answers": {"q": True}}], "without run_id, scenario_id, rubric or answers"),
        ([{"run_id": "r", "scenario_id": "s", "answers": {"q": True}}], "without run_id, scenario_id, rubric"),
        ([{"run_id": "r", "scenario_id": "s", "rubric": "q@1", "answers": {"q": "perhaps"}}], "neither yes nor no"),
        ([{"run_id": "r", "scenario_id": "s", "rubric": "q@1", "repeat": -1, "answers": {"q": True}}], "no number"),
        (["r"], "without"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_why(tmp_path: Path, content: object, problem: str) -> None:
    path = tmp_path / "labels.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CommandError) as refused:
        read_labels(path)
    assert problem in refused.value.message
    assert "storex judge label" in refused.value.remedy


def test_agreement_is_printed_beside_the_scores_wherever_they_are_shown() -> None:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(*comparison_view(comparison()))
    for page in (capture.get(), comparison_markdown(comparison()).replace("\\", "")):
        assert "judged_accuracy: Cohen's kappa 0.72 over 24 labels; it gates" in page
        assert "judged_helpfulness: no kappa; told only, for there are no labels by people" in page
        assert "2 of 26 labels" in page
    root = ElementTree.fromstring(comparison_junit(comparison()))
    suite = root.find("./testsuite[@name='judging model']")
    assert suite is not None
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    skipped = suite.findall("./testcase/skipped")
    assert ["no labels" in (one.get("message") or "") for one in skipped] == [True]
    assert "kappa 0.72" in (suite.findtext("./testcase/system-out") or "")


def test_a_run_shows_each_answer_with_its_reason_and_each_failure() -> None:
    console = Console(width=250)
    with console.capture() as capture:
        console.print(*run_view(graded()))
    shown = capture.get()
    assert "yes (against it)" in shown
    assert "so it stands there" in shown
    assert "not graded by anybody" in shown
