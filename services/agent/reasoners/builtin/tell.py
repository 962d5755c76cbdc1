"""A question that needs no diagnosis: read what it is about, and tell it."""

from __future__ import annotations

import re

from services.agent.inquiry import CallTools, Conclude, Inquiry
from services.agent.reasoners.builtin.intent import Intent
from services.agent.reasoners.builtin.lookup import names_request, needs_names, requests_for
from services.agent.report.draft import Draft

CAN_DO = (
    "I look into MySQL and MariaDB databases: why one is slow, locked, full, refusing or behind, and what to do; what"
    " changed; what is normal; who owns it; which instances are affected; and how it was at a time in the past."
)
WELCOME = "You are welcome. Ask on, for example whether it is over."
_THANKS = re.compile(
    r"\W*(?:(?:thanks?|thx|ty|danke|merci|gracias|ok|okay|great|cool|got it|cheers|perfect|a lot|so much|very much|"
    r"many|you|storex)\b\W*)+",
    re.IGNORECASE,
)
_NOT_UNDERSTOOD = f"I did not understand what you ask. {CAN_DO}"


class Tell:
    """Moves of a question for facts."""

    def __init__(self, intent: Intent) -> None:
        self._intent = intent
        self._asked: set[str] = set()

    def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """Which instances there are, where that matters; then what is asked about."""
        topics = self._intent.topics
        wanted = requests_for(topics, inquiry, fleet=self._intent.fleet, names=_names(inquiry))
        if not inquiry.target.is_instance and needs_names(topics) and not _names(inquiry):
            wanted = (*wanted, names_request(inquiry))
        new = tuple(request for request in wanted if request.key not in self._asked)
        self._asked.update(request.key for request in new)
        return CallTools(new) if new else Conclude(self.conclude(inquiry))

    def conclude(self, inquiry: Inquiry) -> Draft:
        """The facts that were read."""
        del inquiry
        return Draft(topics=self._intent.topics, facts_only=True)


def is_thanks(question: str) -> bool:
    """Whether somebody only says thanks, or that they have read it."""
    return _THANKS.fullmatch(question) is not None


class Explain:
    """Says what can be asked, and calls nothing."""

    def __init__(self, says: str = _NOT_UNDERSTOOD) -> None:
        self._says = says

    def next_move(self, inquiry: Inquiry) -> Conclude:
        """The conclusion at once."""
        return Conclude(self.conclude(inquiry))

    def conclude(self, inquiry: Inquiry) -> Draft:
        """What can be asked."""
        del inquiry
        return Draft(facts_only=True, lead=self._says)


def _names(inquiry: Inquiry) -> list[str]:
    if inquiry.target.is_instance:
        return [str(inquiry.target.name)]
    records = inquiry.records.of_turn(inquiry.turn)
    return [record.name for record in records if record.tool == "list_instances" and record.message is not None]
