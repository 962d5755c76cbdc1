"""A fresh investigation: health first, then the readings that confirm each finding, then once more where one failed."""

from __future__ import annotations

from collections.abc import Mapping

from services.agent.inquiry import CallTools, Conclude, Hypothesis, Inquiry, ToolRequest
from services.agent.reasoners.builtin.delegation import delegated
from services.agent.reasoners.builtin.findings import confirming_requests, root_causes
from services.agent.reasoners.builtin.intent import Intent
from services.agent.reasoners.builtin.lookup import requests_for
from services.agent.reasoners.builtin.others import look_up, may_be_named, readings, told
from services.agent.reasoners.builtin.upstream import source_requests
from services.agent.records import Records
from services.agent.report.draft import Aspect, Draft
from services.agent.report.writing import settle
from services.agent.specialists.registry import Specialist

_PLAN = (
    "Read the health of {target}.",
    "Confirm each finding by reading its evidence.",
    "Check every claim against what was read, and report.",
)


class Investigate:
    """Moves of one fresh investigation."""

    def __init__(self, intent: Intent, lead: str = "", specialists: Mapping[str, Specialist] | None = None) -> None:
        self._intent = intent
        self._specialists = specialists or {}
        self._lead = lead
        self._asked: set[str] = set()
        self._looked_again = False

    def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Health; then evidence; then, if a cause could not be confirmed, both once more."""
        if not self._asked:
            plan = tuple(step.format(target=inquiry.target.text) for step in _PLAN)
            return CallTools(self._once((*_first_look(inquiry), *look_up(may_be_named(inquiry)))), plan=plan)
        records = _of_this_question(inquiry)
        causes = root_causes(records, _asked_about(inquiry, records))
        asked, plan = delegated(causes, self._specialists)
        confirming = confirming_requests(causes, records, refresh=False)
        beside = (*source_requests(records), *readings(may_be_named(inquiry), records))
        wanted = self._once((*confirming, *asked, *beside, *self._topical(inquiry, records)))
        if wanted:
            raised = tuple(
                Hypothesis(cause.kind, cause.confidence, f"found on {cause.name}", cause.name) for cause in causes
            )
            return CallTools(wanted, hypotheses=raised, plan=plan)
        draft = self.conclude(inquiry)
        unproved = [cause for cause in settle(draft, records) if cause.elements and not cause.confirmed]
        shaky = sorted({cause.cause.name for cause in unproved})
        if shaky and not self._looked_again:
            # Sessions come and go between two readings: what could not be confirmed is looked at once more.
            self._looked_again = True
            again = [ToolRequest("get_health", {"name": name}, refresh=True) for name in shaky]
            unconfirmed = [cause for cause in causes if cause.name in shaky]
            return CallTools((*again, *confirming_requests(unconfirmed, records, refresh=True)))
        return Conclude(draft)

    def conclude(self, inquiry: Inquiry) -> Draft:
        """What this question's records come to, as they are."""
        records, last = _of_this_question(inquiry), inquiry.last_diagnosis
        known = last.root_causes if last is not None and last.target == inquiry.target.text else ()
        lasts = bool({Aspect.STILL, Aspect.TREND} & set(self._intent.aspects))
        return Draft(
            causes=tuple(root_causes(records, _asked_about(inquiry, records))),
            aspects=self._intent.aspects,
            asked_about=self._intent.connection,
            topics=self._intent.topics,
            asked_kinds=self._intent.kinds,
            before=tuple((cause.kind, cause.name) for cause in known) if lasts else (),
            earlier=last if known and lasts else None,
            lead=" ".join(part for part in (self._lead, self._beside(inquiry, records)) if part),
        )

    def _beside(self, inquiry: Inquiry, records: Records) -> str:
        return told(inquiry, records)

    def _topical(self, inquiry: Inquiry, records: Records) -> tuple[ToolRequest, ...]:
        """What else the question asks to be told."""
        intent = self._intent
        names = [str(inquiry.target.name)] if inquiry.target.is_instance else list(records.health())
        return requests_for(intent.topics, inquiry, fleet=intent.fleet, names=names)

    def _once(self, requests: tuple[ToolRequest, ...]) -> tuple[ToolRequest, ...]:
        """Those that have not been asked for yet: a reading that fails is not asked for again and again."""
        new = tuple(request for request in requests if request.key not in self._asked)
        self._asked.update(request.key for request in new)
        return new


def _of_this_question(inquiry: Inquiry) -> Records:
    return inquiry.records.of_turn(inquiry.turn)


def _asked_about(inquiry: Inquiry, records: Records) -> frozenset[str]:
    """The instances that the first look covers."""
    if inquiry.target.is_instance:
        beside = (str(request.arguments["name"]) for request in readings(may_be_named(inquiry), records))
        return frozenset([str(inquiry.target.name), *beside])
    return frozenset(record.name for record in records if record.tool == "stream_health")


def _first_look(inquiry: Inquiry) -> tuple[ToolRequest, ...]:
    name = str(inquiry.target.name)
    if inquiry.target.is_instance:
        return ToolRequest("get_overview", {"name": name}), ToolRequest("get_health", {"name": name})
    return (ToolRequest("stream_health", {"name": name, **dict(inquiry.target.labels)}),)
