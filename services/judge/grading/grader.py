"""Asks a judging model about one report at a time, and lets nothing count that cannot be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from libs.config import ConfigError, ModelEndpoint, ModelsConfig
from libs.core.errors import Reason, StorexError
from libs.core.names import parse_name
from libs.llm import BudgetSpentError, Endpoint, Message, NonsenseAnswerError, OutgoingRefusedError
from libs.llm.door import Door, ModelChain, PromptUsed
from libs.llm.ledger import Who
from libs.sensitivity.model_view import ModelView
from services.judge.grading.answers import UnusableAnswersError, checked, schema_for
from services.judge.grading.rubric import Question, Rubric
from services.judge.grading.showing import Shown, shown
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.grading_pb2 import (
    GRADING_STATUS_GRADED,
    GRADING_STATUS_HARNESS_ERROR,
    Answer,
    Grading,
)
from storex.judge.v1.scenario_pb2 import Scenario

ATTEMPTS = 2
"""How often a model is asked about one report before its answers count as unusable."""
ANSWER_SECONDS = 90.0
"""How long one answer may take."""


@dataclass(frozen=True, slots=True)
class Grader:
    """Grades with the models that are configured for it, where a world's domain lets them see its data."""

    door: Door
    models: ModelsConfig
    names: Sequence[str]
    """The endpoints that grade, in order of preference."""
    domains: Mapping[str, str]
    """The domain of each region."""

    def check(self) -> None:
        """Raises StorexError REQUEST_INVALID where no model is configured to grade."""
        if not self.names:
            problem = "no judging model is configured: name its endpoint below `judge: models:` in storex.yaml"
            raise StorexError(Reason.REQUEST_INVALID, field="rubric", problem=problem)

    async def grade(self, scenario: Scenario, report: Report, rubric: Rubric, who: Who) -> Grading:
        """What a judging model says of a report; where anything went wrong, a harness error and no exception."""
        grading = Grading(rubric=rubric.reference)
        chain: ModelChain | None = None
        try:
            endpoints = self._endpoints(scenario, report)
            chain = self.door.chain(endpoints, who, PromptUsed(f"rubric/{rubric.reference}", rubric.text_hash))
            grading.answers.extend(await _ask(chain, scenario, report, rubric))
            grading.status = GRADING_STATUS_GRADED
        except _FAILURES as failure:
            grading.status, grading.problem = GRADING_STATUS_HARNESS_ERROR, _told(failure)
        if chain is not None:
            grading.model, grading.cost = chain.label, chain.cost
            grading.input_tokens, grading.output_tokens = chain.tokens
        return grading

    def _endpoints(self, scenario: Scenario, report: Report) -> list[Endpoint]:
        """Those that may be asked. Raises _NobodyToAskError and ConfigError."""
        domain = self.domains.get(parse_name(scenario.world, snapshots=True).region, "")
        allowed = {entry.name for entry in self.models.allowed([domain])}
        entries = [self.models.endpoints[name] for name in self.names if name in allowed]
        if not entries:
            problem = f"The domain {domain} lets none of the judging models see its data: name one for it below `models"
            raise _NobodyToAskError(f"{problem}: domains:` in storex.yaml.")
        others = [entry for entry in entries if not _wrote(entry, report)]
        if not others:
            problem = (
                "The judging model is the one that wrote the report, and would judge itself: configure another one"
            )
            raise _NobodyToAskError(f"{problem} below `judge: models:` in storex.yaml.")
        return [Endpoint.of(entry) for entry in others]


class _NobodyToAskError(Exception):
    """No judging model may be asked; the text says why (PUBLIC)."""


_FAILURES = (
    _NobodyToAskError,
    ConfigError,
    StorexError,
    NonsenseAnswerError,
    BudgetSpentError,
    OutgoingRefusedError,
    UnusableAnswersError,
)


def _told(failure: Exception) -> str:
    match failure:
        case StorexError() if failure.reason is Reason.MODEL_LEDGER_UNAVAILABLE:
            return failure.public_message
        case StorexError():
            return f"The judging model does not answer ({failure.reason.name}). Try again."
        case NonsenseAnswerError() | UnusableAnswersError():
            return f"The judging model's answers were of no use: {failure.problem}."
        case BudgetSpentError():
            return failure.problem
        case OutgoingRefusedError():
            return f"The report was not sent: it holds something that looks like customer data ({failure.kind})."
        case ConfigError():
            return (
                "The key of the judging model's endpoint cannot be read; the judge's log says where it was looked for."
            )
    return str(failure)


def _wrote(entry: ModelEndpoint, report: Report) -> bool:
    """Whether a report is by the same model, at whatever endpoint."""
    return report.written_by.partition("/")[2] == entry.model


async def _ask(chain: ModelChain, scenario: Scenario, report: Report, rubric: Rubric) -> list[Answer]:
    view = ModelView()
    seen = shown(scenario, report, view)
    questions = rubric.asked_of(scenario.truth)
    messages = opening = _opening(rubric, questions, seen)
    schema = schema_for(questions)
    for last in (*[False] * (ATTEMPTS - 1), True):
        try:
            answer = await chain.complete(messages, (), timeout_seconds=ANSWER_SECONDS, schema=schema)
            return checked(answer.data or {}, questions, report, seen.report, view)
        except (NonsenseAnswerError, UnusableAnswersError) as problem:
            if last:
                raise
            correction = f"That cannot be used: {problem.problem}. Answer every question, in the shape that is wanted."
            messages = [*opening, Message("user", correction)]
    raise AssertionError("the last attempt ends with answers or with an error")


def _opening(rubric: Rubric, questions: Sequence[Question], seen: Shown) -> list[Message]:
    asked = "\n".join(f"- {question.id}: {question.text}" for question in questions)
    return [Message("system", rubric.instructions), Message("user", f"{seen.message}\n\nThe questions:\n{asked}")]
