"""A grading as scores: the share of a dimension's questions whose answer speaks for the report."""

from __future__ import annotations

from services.judge.grading.rubric import DIMENSIONS
from services.judge.scorers.score import Better, Measure
from storex.judge.v1.grading_pb2 import GRADING_STATUS_GRADED, Grading
from storex.judge.v1.judge_pb2 import Score

JUDGED = {dimension: f"judged_{dimension}" for dimension in DIMENSIONS}
"""The scorer of each dimension."""


def judged_measure(dimension: str, *, gates: bool) -> Measure:
    """What comparisons know of a dimension's scorer; whether it gates depends on how far the model can be trusted."""
    return Measure(JUDGED[dimension], "share of questions", Better.HIGHER, gates)


def judged_scores(grading: Grading) -> list[Score]:
    """The scores of a grading; none after a harness error."""
    if grading.status != GRADING_STATUS_GRADED:
        return []
    scores = []
    for dimension, scorer in JUDGED.items():
        answers = [answer for answer in grading.answers if answer.dimension == dimension]
        against = [answer for answer in answers if not answer.favourable]
        if answers:
            reason = "; ".join(f"{answer.question_id}: {answer.reason}" for answer in against)
            scores.append(Score(scorer=scorer, value=1 - len(against) / len(answers), reason=reason))
    return scores
