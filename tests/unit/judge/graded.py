"""Gradings and runs with them for tests, as short as they can be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED, GRADING_STATUS_HARNESS_ERROR, Grading
from storex.judge.v1.judge_pb2 import Run
from tests.unit.judge.reports import run

RUBRIC, MODEL = "standard@1", "grader/large"


def grading(answers: Mapping[str, bool], *, model: str = MODEL, rubric: str = RUBRIC) -> Grading:
    """Answers by `dimension/question`, each as whether it speaks for the report. A question `not_…` wants a no."""
    made = Grading(rubric=rubric, model=model, status=GRADING_STATUS_GRADED)
    for key, favourable in answers.items():
        dimension, question = key.split("/")
        yes = favourable is not question.startswith("not_")
        made.answers.add(
            question_id=question, dimension=dimension, yes=yes, favourable=favourable, reason="so it stands there"
        )
    return made


def failed(problem: str = "The judging model does not answer.") -> Grading:
    """A harness error of the judging model."""
    return Grading(rubric=RUBRIC, status=GRADING_STATUS_HARNESS_ERROR, problem=problem)


def graded_run(name: str, gradings: Sequence[Grading]) -> Run:
    """A run whose scenarios s0, s1 … are all right and have these gradings."""
    made = run(name, {(f"s{number:02}", "lock"): [1.0] for number in range(len(gradings))})
    for outcome, found in zip(made.outcomes, gradings, strict=True):
        outcome.grading.CopyFrom(found)
    return made
