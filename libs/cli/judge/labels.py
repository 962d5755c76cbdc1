"""People's answers to a rubric's questions, as a YAML file that a command writes and people fill in.

A list; each entry is about one report and names its run, scenario and repeat, the version of the rubric that its
questions are of, and their answers:

    - run_id: run_0123456789abcdef
      scenario_id: lock.row_blocker@mariadb
      repeat: 0
      rubric: standard@1
      answers: {says_what_is_wrong: yes, blames_something_else: no, contradicts_itself: }

An answer that is left empty counts as none. What else an entry holds is for whoever reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from libs.cli.failures import CommandError, ExitStatus
from libs.cli.judge.files import read_yaml
from libs.cli.report import report_markdown
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED, Label
from storex.judge.v1.judge_pb2 import Outcome, Run

_REMEDY = "`storex judge label RUN` writes such a file; fill in yes or no."
_HEAD = """\
# Read each report, then answer its questions with yes or no; leave empty what you cannot decide.
# What the judging model answered is not shown here, so that it cannot sway you.
# The questions:
"""


def labels_page(run: Run) -> str:
    """A file to be filled in for the graded reports of a run. Raises CommandError where there is none."""
    graded = [outcome for outcome in run.outcomes if outcome.grading.status == GRADING_STATUS_GRADED]
    if not graded:
        raise CommandError(
            f"No report of {run.run_id} is graded, or none that you may read now.",
            f"`storex judge run {run.run_id} --rubric standard` grades what is there.",
        )
    questions = {answer.question_id: answer.question for outcome in graded for answer in outcome.grading.answers}
    head = _HEAD + "".join(f"#   {name}: {text}\n" for name, text in questions.items())
    entries = [_entry(run.run_id, outcome) for outcome in graded]
    body = yaml.dump(entries, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return head + body


def read_labels(path: Path) -> list[Label]:
    """The answers that a file gives. Raises CommandError."""
    content = read_yaml(path)
    if not isinstance(content, list):
        raise _unusable(path, "holds no list of labels")
    labels = [label for entry in content for label in _labels(path, entry)]
    if not labels:
        raise _unusable(path, "gives no answer")
    return labels


def _entry(run_id: str, outcome: Outcome) -> dict[str, object]:
    return {
        "run_id": run_id,
        "scenario_id": outcome.scenario_id,
        "repeat": outcome.repeat,
        "rubric": outcome.grading.rubric,
        "report": _Block(report_markdown(outcome.report) + "\n"),
        "answers": {answer.question_id: None for answer in outcome.grading.answers},
    }


def _labels(path: Path, entry: object) -> Iterator[Label]:
    found: dict[str, Any] = entry if isinstance(entry, dict) else {}
    run_id, scenario_id, rubric = (_name(found.get(key)) for key in ("run_id", "scenario_id", "rubric"))
    repeat, answers = found.get("repeat", 0), found.get("answers")
    if not (run_id and scenario_id and rubric) or not isinstance(answers, dict):
        raise _unusable(path, "has an entry without run_id, scenario_id, rubric or answers")
    if isinstance(repeat, bool) or not isinstance(repeat, int) or not 0 <= repeat < 2**31:
        raise _unusable(path, f"has a repeat of {scenario_id} that is no number from 0")
    for question, answer in answers.items():
        if answer is None:
            continue
        if not isinstance(answer, bool):
            raise _unusable(path, f"answers {question} of {scenario_id} with something that is neither yes nor no")
        yield Label(
            run_id=run_id, scenario_id=scenario_id, repeat=repeat, question_id=str(question), yes=answer, rubric=rubric
        )


def _name(found: object) -> str:
    return found if isinstance(found, str) else ""


def _unusable(path: Path, problem: str) -> CommandError:
    return CommandError(f"{path} {problem}.", _REMEDY, ExitStatus.USAGE)


class _Block(str):
    """Text that is written line by line, for people to read."""


class _Dumper(yaml.SafeDumper):
    """Empty answers are left empty, and reports are written as blocks."""


_Dumper.add_representer(_Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|"))
_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))
