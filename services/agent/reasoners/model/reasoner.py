"""A model behind one or more endpoints, as the reasoner of one question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from libs.core.catalogue import CATALOGUE
from libs.core.errors import StorexError
from libs.llm import (
    BudgetSpentError,
    Completion,
    Message,
    NonsenseAnswerError,
    OutgoingRefusedError,
    ToolCallRequest,
    ToolSchema,
)
from libs.llm.door import ModelChain
from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome, CallTools, Conclude, Inquiry, ReasonerFailedError, ToolRequest
from services.agent.loop.recorded import recorded_outcomes
from services.agent.reasoners.model.compaction import compacted, earlier_turns
from services.agent.reasoners.model.decoding import json_object
from services.agent.reasoners.model.fencing import MORE, Fence
from services.agent.reasoners.model.more import SCHEMA as MORE_SCHEMA
from services.agent.reasoners.model.more import shown_again
from services.agent.reasoners.model.submission import SCHEMA, SUBMIT, SubmissionError, parse_submission
from services.agent.specialists.registry import LEAD, Specialist

_MAX_MISTAKES = 3
"""Turns that cannot be used before the model is given up."""
_MAX_LOOKS = 8
"""Times that a model may look at recorded answers again; each costs a turn and teaches little."""
_ASK_FOR_REPORT = f"Call a tool, or hand in your diagnosis with {SUBMIT}."


class ModelReasoner:
    """Talks to a chain of models. `chain` may see the target's data as `view` shows it; its answers are not trusted."""

    def __init__(self, chain: ModelChain, specialists: Mapping[str, Specialist], timeout_seconds: float) -> None:
        self._chain = chain
        self._specialists = specialists
        self._timeout_seconds = timeout_seconds
        self._view = ModelView()
        self._fence = Fence(self._view)
        self._tools = (*_schemas(specialists), MORE_SCHEMA, SCHEMA)
        self._messages: list[Message] = []
        self._asked: tuple[ToolCallRequest, ...] = ()
        self._outcomes: dict[str, CallOutcome] = {}
        self._mistakes = 0
        self._looks = 0

    @property
    def label(self) -> str:
        """The endpoint and model that answers now."""
        return self._chain.label

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens sent and received so far, as the endpoints count them."""
        return self._chain.tokens

    @property
    def cost(self) -> float:
        """What that cost, by the price table."""
        return self._chain.cost

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Ask the model until it makes a move that can be used. Raises ReasonerFailedError."""
        if not self._messages:
            self._open(inquiry)
        self._answer_calls(inquiry)
        while True:
            completion = await self._complete()
            self._messages.append(Message("assistant", completion.text, tool_calls=completion.tool_calls))
            submitted = next((call.arguments for call in completion.tool_calls if call.name == SUBMIT), None)
            if submitted is None and completion.tool_calls:
                move = self._calls(completion.tool_calls, inquiry)
                if move is not None:
                    return move
                continue
            try:
                if submitted is None and completion.data is None:
                    raise SubmissionError(_ASK_FOR_REPORT)
                return Conclude(parse_submission(submitted or completion.text, self._view))
            except SubmissionError as mistake:
                self._correct(completion, str(mistake))

    def _open(self, inquiry: Inquiry) -> None:
        catalogue = "\n".join(f"  - `{entry.id}`: {entry.title}" for entry in CATALOGUE.values())
        advice = "\n\n".join(entry.prompt.render() for name, entry in self._specialists.items() if name != LEAD)
        lead = self._specialists[LEAD].prompt
        text = lead.render(target=inquiry.target.text, catalogue=catalogue, specialists=advice)
        self._messages = [Message("system", text), *earlier_turns(inquiry.earlier, self._view)]
        question = [self._view.show_text(inquiry.question)]
        if inquiry.resumed:
            read = recorded_outcomes(inquiry.records.of_turn(inquiry.turn))
            question += ["You were cut short. This was read before:"] if read else []
            question += [self._fence.wrap(outcome) for _, outcome in read]
        self._messages.append(Message("user", "\n".join(question)))

    def _answer_calls(self, inquiry: Inquiry) -> None:
        by_reference = {outcome.request.reference: outcome for outcome in inquiry.outcomes}
        for call in self._asked:
            outcome = by_reference.get(call.call_id)
            if outcome is not None:
                self._outcomes[call.call_id] = outcome
                text = self._fence.wrap(outcome, inquiry.records)
            elif call.name == MORE:
                text = shown_again(call.arguments, inquiry.records, self._fence)
            else:
                text = "The arguments are not a JSON object."
            self._messages.append(Message("tool", text, call_id=call.call_id))
        self._asked = ()

    async def _complete(self) -> Completion:
        self._messages = compacted(self._messages, self._outcomes, self._view)
        # A model that talks twice in the place of calling is held to the shape of the report.
        schema = SCHEMA if self._mistakes > 1 else None
        try:
            return await self._chain.complete(
                self._messages, self._tools, timeout_seconds=self._timeout_seconds, schema=schema
            )
        except NonsenseAnswerError as nonsense:
            problem = f"The model's answer was of no use: {nonsense.problem}."
            raise ReasonerFailedError("MODEL_NONSENSE", problem) from None
        except BudgetSpentError as spent:
            raise ReasonerFailedError("MODEL_BUDGET_SPENT", spent.problem) from None
        except OutgoingRefusedError as refused:
            problem = f"A message to the model held something that looks like customer data ({refused.kind}): not sent."
            raise ReasonerFailedError("MODEL_REFUSED", problem) from None
        except StorexError:
            raise ReasonerFailedError("MODEL_UNAVAILABLE", "The model endpoint does not answer.") from None

    def _calls(self, calls: tuple[ToolCallRequest, ...], inquiry: Inquiry) -> CallTools | None:
        """The move that a model's calls are; None when they only look at what is recorded, and are answered."""
        requests: list[ToolRequest] = []
        for call in calls:
            arguments = json_object(call.arguments)
            if arguments is not None and call.name != MORE:
                requests.append(ToolRequest(call.name, arguments, reference=call.call_id))
        self._asked = calls
        if requests or self._looks >= _MAX_LOOKS or not any(call.name == MORE for call in calls):
            return CallTools(tuple(requests))
        self._looks += 1
        inquiry.outcomes = ()
        self._answer_calls(inquiry)
        return None

    def _correct(self, completion: Completion, mistake: str) -> None:
        """Tell the model what is wrong. Raises ReasonerFailedError when it has been told too often."""
        self._mistakes += 1
        if self._mistakes >= _MAX_MISTAKES:
            raise ReasonerFailedError("MODEL_NONSENSE", "The model did not hand in a report that can be used.")
        for call in completion.tool_calls:
            self._messages.append(Message("tool", mistake, call_id=call.call_id))
        if not completion.tool_calls:
            self._messages.append(Message("user", mistake))


def _schemas(specialists: Mapping[str, Specialist]) -> Sequence[ToolSchema]:
    tools = {tool.name: tool for specialist in specialists.values() for tool in specialist.tools}
    return [tool.schema for tool in tools.values()]
