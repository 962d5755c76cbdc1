"""What of a session a model may be shown: only what is of regions whose domain allows every endpoint of its chain.

The endpoints are chosen by the question's target. A call may name another instance, a stream covers many, and earlier
questions of the session may have been about another region: none of that goes where the target's data may go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from google.protobuf import json_format
from google.protobuf.message import Message

from libs.core.names import WILDCARD
from services.agent.inquiry import CallOutcome, Turn
from services.agent.reasoners.model.decoding import json_object
from services.agent.records import DENIED, Record, status_of
from storex.agent.v1 import agent_pb2

_REGION = re.compile(r"\bregions/([\w-]+)")
_REFUSED = "This is of a region whose data you may not be shown. Ask about the target, and do not ask for this again."
_LEFT_OUT = "What is of regions whose data you may not be shown is left out."

MaySee = Callable[[str], bool]


def everything(_: str) -> bool:
    """No region is closed."""
    return True


class Boundary:
    """Leaves out what is of other regions than those that `may_see`, a predicate of their names, holds of."""

    def __init__(self, may_see: MaySee = everything) -> None:
        self._may_see = may_see

    def refusal(self, arguments: str) -> str:
        """Why a model's call, by its arguments as JSON, is not made; empty where it may be."""
        return "" if self._is_within(json.dumps(json_object(arguments) or {})) else f"DENIED. {_REFUSED}"

    def outcome(self, outcome: CallOutcome) -> CallOutcome:
        """What a call came to, without what is of elsewhere; DENIED where nothing is left."""
        kept = tuple(self._kept(record) for record in outcome.records if self._is_within(record.name))
        if kept == outcome.records:
            return outcome
        if not kept:
            return replace(outcome, records=(), status=DENIED, problem=_REFUSED)
        return replace(outcome, records=kept, status=status_of(kept), problem=_LEFT_OUT)

    def turns(self, turns: Sequence[Turn]) -> list[Turn]:
        """The earlier questions whose reports hold nothing of elsewhere."""
        return [turn for turn in turns if turn.report is not None and self._is_within(_text_of(turn.report))]

    def _kept(self, record: Record) -> Record:
        """The record; of one that tells of earlier sessions what they hold of elsewhere is left out."""
        if not isinstance(record.message, agent_pb2.ListSessionsResponse) or self._is_within(_text_of(record.message)):
            return record
        left = agent_pb2.ListSessionsResponse()
        left.sessions.extend(one for one in record.message.sessions if self._is_within(_text_of(one)))
        return replace(record, message=left)

    def _is_within(self, text: str) -> bool:
        return all(region == WILDCARD or self._may_see(region) for region in _REGION.findall(text.lower()))


def _text_of(message: Message) -> str:
    return json_format.MessageToJson(message, ensure_ascii=False)
