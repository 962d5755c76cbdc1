"""One conversation with a chain of models, until it calls a tool or hands in a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from services.agent.inquiry import CallOutcome, ReasonerFailedError
from services.agent.reasoners.model.compaction import compacted
from services.agent.reasoners.model.fencing import MAX_CHARACTERS, MORE, Fence
from services.agent.reasoners.model.fitting import fitted, is_small, offered_within
from services.agent.reasoners.model.more import SCHEMA as MORE_SCHEMA
from services.agent.reasoners.model.more import shown_again
from services.agent.reasoners.model.submission import SCHEMA, SUBMIT, SubmissionError, parse_submission
from services.agent.records import Records
from services.agent.report.draft import Draft

_MAX_MISTAKES = 3
"""Turns that cannot be used before the model is given up."""
_MAX_LOOKS = 8
"""Times that a model may look at recorded answers again; each costs a turn and teaches little."""
_ASK_FOR_REPORT = f"Call a tool, or hand in your diagnosis with {SUBMIT}."
_ANSWER_SHARE = 0.5
"""Characters of one answer for each token that a model takes: about a fifth of its room."""
_LEAST_ANSWER = 600

Move = Draft | tuple[ToolCallRequest, ...]


class Talk:
    """What was said, and how often the model made mistakes. `chain` may see what `view` shows; it is not trusted."""

    def __init__(
        self,
        chain: ModelChain,
        tools: Sequence[ToolSchema],
        view: ModelView,
        fence: Fence,
        timeout_seconds: float,
    ) -> None:
        """`tools` are those offered beside `submit_report` and `show_more`, the most important first."""
        self.chain = chain
        self.submitted = ""
        """The report as the model wrote it, with tokens for names."""
        self.must_report = False
        """Whether the next turn is held to the shape of a report."""
        self._tools = (SCHEMA, *tools, MORE_SCHEMA)
        self._view = view
        self._fence = fence
        self._timeout_seconds = timeout_seconds
        self._messages: list[Message] = []
        self._asked: tuple[ToolCallRequest, ...] = ()
        self._outcomes: dict[str, CallOutcome] = {}
        self._mistakes = 0
        self._looks = 0

    @property
    def is_open(self) -> bool:
        """Whether anything was said."""
        return bool(self._messages)

    @property
    def answer_characters(self) -> int:
        """Most that is shown of one answer."""
        room = self.chain.room_tokens
        return min(MAX_CHARACTERS, max(_LEAST_ANSWER, int(room * _ANSWER_SHARE))) if room else MAX_CHARACTERS

    def open(self, messages: Sequence[Message]) -> None:
        """Begin with these."""
        self._messages = list(messages)

    def answer(self, came: Mapping[str, CallOutcome], told: Mapping[str, str], records: Records) -> None:
        """Answer the calls of the last move: by outcomes or by texts, each by the model's own id of the call."""
        for call in self._asked:
            outcome = came.get(call.call_id)
            if outcome is not None:
                self._outcomes[call.call_id] = outcome = self._fence.boundary.outcome(outcome)
                text = self._fence.wrap(outcome, records, limit=self.answer_characters)
            elif call.call_id in told:
                text = told[call.call_id]
            elif call.name == MORE:
                text = shown_again(call.arguments, records, self._fence, self.answer_characters)
            elif refusal := self._fence.boundary.refusal(call.arguments):
                text = refusal
            else:
                text = "The arguments are not a JSON object."
            self._messages.append(Message("tool", text, call_id=call.call_id))
        self._asked = ()

    async def move(self, records: Records) -> Move:
        """Ask the model until it makes a move that can be used. Raises ReasonerFailedError."""
        while True:
            completion = await self._complete()
            self._messages.append(Message("assistant", completion.text, tool_calls=completion.tool_calls))
            submitted = next((call.arguments for call in completion.tool_calls if call.name == SUBMIT), None)
            if submitted is None and completion.tool_calls:
                self._asked = completion.tool_calls
                if not self._only_looks_again(records):
                    return tuple(call for call in completion.tool_calls if self._may_be_made(call))
                continue
            try:
                if submitted is None and completion.data is None:
                    raise SubmissionError(_ASK_FOR_REPORT)
                self.submitted = submitted or completion.text
                return parse_submission(self.submitted, self._view)
            except SubmissionError as mistake:
                self._correct(completion, str(mistake))

    def _only_looks_again(self, records: Records) -> bool:
        """Whether the calls only look at what is recorded, or may not be made; they are answered then."""
        if self._looks >= _MAX_LOOKS or any(call.name != MORE and self._may_be_made(call) for call in self._asked):
            return False
        self._looks += 1
        self.answer({}, {}, records)
        return True

    def _may_be_made(self, call: ToolCallRequest) -> bool:
        return not self._fence.boundary.refusal(call.arguments)

    async def _complete(self) -> Completion:
        self._messages = compacted(self._messages, self._outcomes, self._view)
        # A model that talks twice in the place of calling is held to the shape of the report.
        schema = SCHEMA if self.must_report or self._mistakes > 1 else None
        room = self.chain.room_tokens
        tools = offered_within(self._tools, room) if is_small(room) else self._tools
        try:
            return await self.chain.complete(
                self._messages, tools, timeout_seconds=self._timeout_seconds, schema=schema, fit=fitted
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

    def _correct(self, completion: Completion, mistake: str) -> None:
        """Tell the model what is wrong. Raises ReasonerFailedError when it has been told too often."""
        self._mistakes += 1
        if self._mistakes >= _MAX_MISTAKES:
            raise ReasonerFailedError("MODEL_NONSENSE", "The model did not hand in a report that can be used.")
        for call in completion.tool_calls:
            self._messages.append(Message("tool", mistake, call_id=call.call_id))
        if not completion.tool_calls:
            self._messages.append(Message("user", mistake))
