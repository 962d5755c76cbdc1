"""People's labels as commands on a running mesh: written for a graded run, filled in, and given to the gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.cli.failures import ExitStatus
from tests.e2e.judge.conftest import JudgeMesh
from tests.e2e.judge.model import Script, finds_it_good

pytestmark = [pytest.mark.engine, pytest.mark.slow]

QUESTION = "says_what_is_wrong"


def of_statements(question: str, report: str) -> bool:
    """Against what a report on a statement says is wrong, and for one on a lock."""
    return question == QUESTION and "root cause lock.row_blocker" not in report


def of_all(question: str, _report: str) -> bool:
    return question == QUESTION


@contextmanager
def judging(judged: JudgeMesh, script: Script) -> Iterator[None]:
    judged.model.judges, before = script, judged.model.judges
    try:
        yield
    finally:
        judged.model.judges = before


def gate(judged: JudgeMesh, baseline: str, candidate: str, labels: Path) -> tuple[int, dict[str, Any]]:
    sides = ("--baseline", baseline, "--candidate", candidate)
    done = judged.storex.run("judge", "gate", *sides, "--rubric", "standard", "--labels", str(labels), "--json")
    assert done.stdout, done.stderr
    return done.status, json.loads(done.stdout)


def test_labels_are_written_filled_in_and_decide_whether_the_model_gates(judged: JudgeMesh, tmp_path: Path) -> None:
    ids = [*judged.copies("lock.row_blocker", "labelled", 2), *judged.copies("query.missing_index", "labelled-q", 2)]
    candidate, labels = tmp_path / "now.yaml", tmp_path / "labels.yaml"
    candidate.write_text("reasoner: builtin\n")
    only = [word for name in ids for word in ("--scenario", name)]
    with judging(judged, partial(finds_it_good, against=of_statements)):
        first = judged.storex.json("judge", "run", str(candidate), *only, "--rubric", "standard")["run_id"]
    with judging(judged, partial(finds_it_good, against=of_all)):
        worse = judged.storex.json("judge", "run", str(candidate), *only, "--rubric", "standard")["run_id"]

    written = judged.storex.run("judge", "label", first, "-o", str(labels))
    assert written.status == 0, written.stderr
    entries = yaml.safe_load(labels.read_text())
    assert [entry["scenario_id"] for entry in entries] == sorted(ids)
    assert {(entry["run_id"], entry["rubric"]) for entry in entries} == {(first, "standard@1")}
    assert all(set(entry["answers"].values()) == {None} for entry in entries)
    assert judged.storex.run("judge", "label", first, "-o", str(labels)).status == ExitStatus.FAILED, "not over answers"

    for entry in entries:
        entry["answers"][QUESTION] = "labelled-q" not in entry["scenario_id"]
    labels.write_text(yaml.safe_dump(entries))
    status, same = gate(judged, first, first, labels)
    assert (status, same["passed"], same["kappa"]) == (0, True, 1)
    [accuracy] = [one for one in same["agreements"] if one["scorer"] == "judged_accuracy"]
    assert (accuracy["labels"], accuracy["gates"]) == (4, True)
    status, fallen = gate(judged, first, worse, labels)
    assert status == ExitStatus.FAILED
    assert any("lock: judged_accuracy fell" in problem for problem in fallen["problems"])

    for entry in entries:
        entry["rubric"] = "standard@99"
    labels.write_text(yaml.safe_dump(entries))
    status, untrusted = gate(judged, first, worse, labels)
    assert (status, untrusted["passed"]) == (0, True), "labels of another version say nothing about this one"


def test_a_run_that_nobody_graded_gets_no_file(judged: JudgeMesh, tmp_path: Path) -> None:
    run = judged.run(judged.copies("lock.row_blocker", "ungraded", 1))
    done = judged.storex.run("judge", "label", run.run_id, "-o", str(tmp_path / "labels.yaml"))
    assert done.status == ExitStatus.FAILED
    assert "--rubric" in done.stderr
    assert not (tmp_path / "labels.yaml").exists()
