"""A model behind one or more endpoints, as the reasoner of one question."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from libs.core.catalogue import CATALOGUE
from libs.core.errors import StorexError
from libs.llm import Completion, Message, Model, NonsenseAnswerError, ToolCallRequest, ToolSchema
from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome, CallTools, Conclude, Inquiry, ReasonerFailedError, ToolRequest
from services.agent.reasoners.model.fencing import Fence
from services.agent.reasoners.model.grounding import grounded
from services.agent.reasoners.model.submission import SCHEMA, SUBMIT, SubmissionError, parse_submission
from services.agent.specialists.registry import LEAD, Specialist

_MAX_MISTAKES = 3
"""Turns that cannot be used before the model is given up."""
_ASK_FOR_REPORT = f"Call a tool, or hand in your diagnosis with {SUBMIT}."


class ModelReasoner:
    """Talks to the first endpoint that answers, and goes on with the next when one fails.

    `models` are in order of preference and all allowed to see the target's data. Their answers are never trusted.
    """

    def __init__(self, models: Sequence[Model], specialists: Mapping[str, Specialist], timeout_seconds: float) -> None:
        self._models = list(models)
        self._specialists = specialists
        self._timeout_seconds = timeout_seconds
        self._view = ModelView()
        self._fence = Fence(self._view)
        self._tools = (*_schemas(specialists), SCHEMA)
        self._messages: list[Message] = []
        self._asked: tuple[ToolCallRequest, ...] = ()
        self._mistakes = 0
        self._tokens = (0, 0)
        self._cost = 0.0

    @property
    def label(self) -> str:
        """The endpoint and model that answers now."""
        return self._models[0].label

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens sent and received so far, as the endpoints count them."""
        return self._tokens

    @property
    def cost(self) -> float:
        """What that cost, by the price table."""
        return self._cost

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Ask the model until it makes a move that can be used. Raises ReasonerFailedError."""
        if not self._messages:
            self._open(inquiry)
        self._answer_calls(inquiry.outcomes)
        while True:
            completion = await self._complete()
            self._messages.append(Message("assistant", completion.text, tool_calls=completion.tool_calls))
            submitted = next((call for call in completion.tool_calls if call.name == SUBMIT), None)
            if submitted is None and completion.tool_calls:
                return self._calls(completion.tool_calls)
            try:
                if submitted is None:
                    raise SubmissionError(_ASK_FOR_REPORT)
                draft = parse_submission(submitted.arguments, self._view)
                return Conclude(grounded(draft, inquiry.records))
            except SubmissionError as mistake:
                self._correct(completion, str(mistake))

    def _open(self, inquiry: Inquiry) -> None:
        catalogue = "\n".join(f"  - `{entry.id}`: {entry.title}" for entry in CATALOGUE.values())
        advice = "\n\n".join(entry.prompt.render() for name, entry in self._specialists.items() if name != LEAD)
        lead = self._specialists[LEAD].prompt
        text = lead.render(target=inquiry.target.text, catalogue=catalogue, specialists=advice)
        self._messages = [Message("system", text)]
        for turn in inquiry.earlier:
            if turn.report is not None:
                self._messages.append(Message("user", self._view.show_text(turn.question)))
                shown = self._view.show(turn.report)
                self._messages.append(Message("assistant", shown.answer or "I reported what I found."))
        self._messages.append(Message("user", self._view.show_text(inquiry.question)))

    def _answer_calls(self, outcomes: tuple[CallOutcome, ...]) -> None:
        by_reference = {outcome.request.reference: outcome for outcome in outcomes}
        for call in self._asked:
            outcome = by_reference.get(call.call_id)
            text = self._fence.wrap(outcome) if outcome is not None else "The arguments are not a JSON object."
            self._messages.append(Message("tool", text, call_id=call.call_id))
        self._asked = ()

    async def _complete(self) -> Completion:
        while True:
            try:
                completion = await self._models[0].complete(
                    self._messages, self._tools, timeout_seconds=self._timeout_seconds
                )
            except NonsenseAnswerError as nonsense:
                self._give_up_endpoint("MODEL_NONSENSE", f"The model's answer was of no use: {nonsense.problem}.")
            except StorexError:
                self._give_up_endpoint("MODEL_UNAVAILABLE", "The model endpoint does not answer.")
            else:
                sent, received = self._tokens
                self._tokens = (sent + completion.input_tokens, received + completion.output_tokens)
                return completion

    def _give_up_endpoint(self, code: str, problem: str) -> None:
        """Go on with the next endpoint. Raises ReasonerFailedError when this was the last one."""
        if len(self._models) == 1:
            raise ReasonerFailedError(code, problem)
        del self._models[0]

    def _calls(self, calls: tuple[ToolCallRequest, ...]) -> CallTools:
        requests: list[ToolRequest] = []
        for call in calls:
            arguments = _json_object(call.arguments)
            if arguments is not None:
                requests.append(ToolRequest(call.name, arguments, reference=call.call_id))
        self._asked = calls
        return CallTools(tuple(requests))

    def _correct(self, completion: Completion, mistake: str) -> None:
        """Tell the model what is wrong. Raises ReasonerFailedError when it has been told too often."""
        self._mistakes += 1
        if self._mistakes >= _MAX_MISTAKES:
            raise ReasonerFailedError("MODEL_NONSENSE", "The model did not hand in a report that can be used.")
        for call in completion.tool_calls:
            self._messages.append(Message("tool", mistake, call_id=call.call_id))
        if not completion.tool_calls:
            self._messages.append(Message("user", mistake))


def _schemas(specialists: Mapping[str, Specialist]) -> list[ToolSchema]:
    tools = {tool.name: tool for specialist in specialists.values() for tool in specialist.tools}
    return [tool.schema for tool in tools.values()]


def _json_object(text: str) -> dict[str, object] | None:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
