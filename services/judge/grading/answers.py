"""What a judging model is asked for, and whether what it answered can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from libs.llm import ToolSchema
from libs.sensitivity.model_view import ModelView
from services.judge.grading.rubric import Question
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.grading_pb2 import Answer

SHORTEST_QUOTE = 4
"""Characters below which words are found anywhere and prove nothing."""
LONGEST_REASON = 600
_TEXTS = ("question", "quote", "reason")


class UnusableAnswersError(Exception):
    """Answers that cannot be believed; `problem` says why, and quotes nothing of them."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def schema_for(questions: Sequence[Question]) -> ToolSchema:
    """The shape of the answers: the quote and the reason stand before the answer, so that they come first."""
    properties: dict[str, object] = {
        "question": {"type": "string", "enum": [question.id for question in questions]},
        "quote": {"type": "string", "description": "The words of the report that it rests on, copied exactly."},
        "reason": {"type": "string", "description": "Why, in one sentence."},
        "yes": {"type": "boolean"},
    }
    answer = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return ToolSchema(
        "submit_answers",
        "Answer every question once.",
        {
            "type": "object",
            "properties": {"answers": {"type": "array", "items": answer}},
            "required": ["answers"],
            "additionalProperties": False,
        },
    )


def checked(
    data: Mapping[str, object], questions: Sequence[Question], report: Report, shown: str, view: ModelView
) -> list[Answer]:
    """The answers to the rubric's real questions, in its order, with real names in the place of tokens.

    `shown` is the report as the model saw it. Raises UnusableAnswersError for answers of another shape, for a question
    without an answer or with two, for a quote that is not in the report, and for a check that was got wrong.
    """
    given = dict(_entries(data, questions))
    missing = [question.id for question in questions if question.id not in given]
    if missing:
        raise UnusableAnswersError(f"there is no answer to {', '.join(missing)}")
    for question in questions:
        right = question.right(report)
        if right is not None and given[question.id]["yes"] is not right:
            raise UnusableAnswersError(f"the answer to the check {question.id} is wrong")
    _check_quotes(given, shown)
    return [
        Answer(
            question_id=question.id,
            dimension=question.dimension,
            question=question.text,
            yes=bool(given[question.id]["yes"]),
            favourable=given[question.id]["yes"] is question.good,
            reason=view.restore(str(given[question.id]["reason"]))[:LONGEST_REASON],
            quote=view.restore(_plain(str(given[question.id]["quote"]))),
        )
        for question in questions
        if not question.known
    ]


def _entries(data: Mapping[str, object], questions: Sequence[Question]) -> Iterator[tuple[str, Mapping[str, object]]]:
    answers = data.get("answers")
    asked, seen = {question.id for question in questions}, set[str]()
    for entry in answers if isinstance(answers, list) else []:
        if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in _TEXTS):
            raise UnusableAnswersError("an answer lacks its question, its quote or its reason")
        if not isinstance(entry.get("yes"), bool):
            raise UnusableAnswersError("an answer is neither yes nor no")
        if entry["question"] not in asked or entry["question"] in seen:
            raise UnusableAnswersError("a question was answered that was not asked, or one twice")
        if not entry["reason"].strip():
            raise UnusableAnswersError(f"the answer to {entry['question']} has no reason")
        seen.add(entry["question"])
        yield entry["question"], entry


def _check_quotes(given: Mapping[str, Mapping[str, object]], shown: str) -> None:
    report = _plain(shown)
    for name, entry in given.items():
        quote = _plain(str(entry["quote"]))
        if entry["yes"] and len(quote) < SHORTEST_QUOTE:
            raise UnusableAnswersError(f"the answer to {name} is yes and quotes nothing")
        if quote and quote not in report:
            raise UnusableAnswersError(f"the quote for {name} is not in the report")


def _plain(text: str) -> str:
    """As one line; how it was broken is nobody's claim."""
    return " ".join(text.split())
