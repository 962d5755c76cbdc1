"""A model behind one or more endpoints, as the reasoner of one question; it may hand tasks to specialists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from libs.core.catalogue import CATALOGUE
from libs.llm import Message, ToolCallRequest
from libs.sensitivity.model_view import ModelView
from services.agent.inquiry import CallOutcome, CallTools, Conclude, Inquiry, ReasonerFailedError, ToolRequest
from services.agent.loop.recorded import recorded_outcomes
from services.agent.reasoners.model.boundary import Boundary, MaySee, everything
from services.agent.reasoners.model.compaction import earlier_turns
from services.agent.reasoners.model.decoding import json_object
from services.agent.reasoners.model.delegation import DELEGATE, ChainFor, Team, delegate_schema
from services.agent.reasoners.model.fencing import MORE, Fence
from services.agent.reasoners.model.fitting import is_small
from services.agent.reasoners.model.talk import Talk
from services.agent.report.draft import Draft
from services.agent.specialists.registry import LEAD, Specialist

_PREFIX = "lead/"
_MAX_REFUSALS = 3
"""Turns that only hand out tasks that nobody can do, before the model is given up."""


class ModelReasoner:
    """The lead's conversation, and the specialists that it set to work."""

    def __init__(
        self,
        chain_for: ChainFor,
        specialists: Mapping[str, Specialist],
        timeout_seconds: float,
        may_see: MaySee = everything,
    ) -> None:
        """`may_see` tells of a region's name whether its data may go to the models of the chains."""
        self._specialists = specialists
        self._view = ModelView()
        self._fence = Fence(self._view, Boundary(may_see))
        lead = specialists[LEAD]
        tools = [delegate_schema(specialists), *(tool.schema for tool in lead.tools)]
        self._talk = Talk(chain_for(lead), tools, self._view, self._fence, timeout_seconds)
        self._team = Team(specialists, chain_for, self._view, self._fence, timeout_seconds)
        self._came: dict[str, CallOutcome] = {}
        self._refusals = 0

    @property
    def label(self) -> str:
        """The endpoint and model that answers now."""
        return self._talk.chain.label

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens sent and received so far, as the endpoints count them, the specialists' with the lead's."""
        counted = [chain.tokens for chain in (self._talk.chain, *self._team.chains)]
        return sum(sent for sent, _ in counted), sum(received for _, received in counted)

    @property
    def cost(self) -> float:
        """What that cost, by the price table."""
        return sum(chain.cost for chain in (self._talk.chain, *self._team.chains))

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Ask the specialists at work, else the lead, for a move that can be used. Raises ReasonerFailedError."""
        if not self._talk.is_open:
            self._open(inquiry)
        now = {outcome.request.reference: outcome for outcome in inquiry.outcomes}
        self._came |= now
        wanted = await self._team.go_on(inquiry, now)
        while not wanted:
            self._talk.answer(_of_the_lead(self._came), self._team.answers(), inquiry.records)
            self._came = {}
            move = await self._talk.move(inquiry.records)
            if isinstance(move, Draft):
                return Conclude(replace(move, notes=(*move.notes, *self._team.notes)))
            tasks = [call for call in move if call.name == DELEGATE]
            if tasks and not self._team.begin(tasks):
                self._refuse()
            wanted = [*_requests(move), *await self._team.go_on(inquiry, {})]
            if not tasks:
                self._team.begin(())
                break
        return CallTools(tuple(wanted))

    def _refuse(self) -> None:
        """Tasks that nobody can do were handed out once more. Raises ReasonerFailedError when that was too often."""
        self._refusals += 1
        if self._refusals >= _MAX_REFUSALS:
            raise ReasonerFailedError("MODEL_REPEATS", "The model repeated itself without learning anything new.")

    def _open(self, inquiry: Inquiry) -> None:
        catalogue = "\n".join(f"  - `{entry.id}`: {entry.title}" for entry in CATALOGUE.values())
        others = [one for name, one in self._specialists.items() if name != LEAD]
        business = "\n".join(f"- {one.name}: {', '.join(one.families)}" for one in others)
        if is_small(self._talk.chain.room_tokens):
            catalogue, business = ", ".join(CATALOGUE), "; ".join(one.name for one in others)
        text = self._specialists[LEAD].prompt.render(
            target=inquiry.target.text, catalogue=catalogue, specialists=business
        )
        question = [self._view.show_text(inquiry.question)]
        if inquiry.resumed:
            read = recorded_outcomes(inquiry.records.of_turn(inquiry.turn))
            question += ["You were cut short. This was read before:"] if read else []
            question += [self._fence.wrap(outcome, limit=self._talk.answer_characters) for _, outcome in read]
        earlier = earlier_turns(self._fence.boundary.turns(inquiry.earlier), self._view)
        self._talk.open([Message("system", text), *earlier, Message("user", "\n".join(question))])


def _of_the_lead(came: Mapping[str, CallOutcome]) -> dict[str, CallOutcome]:
    return {
        reference.removeprefix(_PREFIX): outcome for reference, outcome in came.items() if reference.startswith(_PREFIX)
    }


def _requests(calls: Sequence[ToolCallRequest]) -> list[ToolRequest]:
    return [
        ToolRequest(call.name, arguments, reference=_PREFIX + call.call_id)
        for call in calls
        if call.name not in (MORE, DELEGATE) and (arguments := json_object(call.arguments)) is not None
    ]
