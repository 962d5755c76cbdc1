"""How a time that is over is reported: what the record shows is likely at most, and nothing can be ended any more."""

from __future__ import annotations

import json
from dataclasses import dataclass

from services.agent.records import Record, Records
from services.agent.report.causes.cause import CauseGuide, Facts, Link, Step, Supporting
from services.agent.report.period import Period
from services.agent.report.verifier import UNCONFIRMED, VerifiedCause
from services.agent.timestamps import epoch_seconds, moment
from storex.common.v1 import entity_pb2

_TIMED = {"until", "at"}
"""Arguments of tools that can look at a time that is over."""
_AFTER_SECONDS = 1.0
RECORD_ONLY = "only what was recorded speaks for it: nobody looked while it lasted"
_HISTORY_ONLY = entity_pb2.Limit(
    source="history",
    code="HISTORY_ONLY",
    message="Of a time that is over only statements, counters and changes are on record: who held locks, which"
    " transactions were open and how replication stood is not.",
    remedy="Ask while it happens to see these too.",
)


@dataclass(frozen=True, slots=True)
class OfThePast:
    """A guide's citations and lasting advice; the words are the shard's, for the guide's speak of now."""

    guide: CauseGuide

    @property
    def kind(self) -> str:
        """The catalogue id."""
        return self.guide.kind

    @property
    def supporting(self) -> tuple[Supporting, ...]:
        """The guide's own."""
        return self.guide.supporting

    def summary(self, facts: Facts) -> str:
        """The shard's summary."""
        return facts.fallback

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """The shard's summary, on all that is cited."""
        patterns = tuple(dict.fromkeys(citation.pattern for citation in facts.citations))
        return (Link(facts.fallback, patterns),) if facts.fallback else ()

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """What still helps: sessions of that time are gone, and their ids may be others' now."""
        return tuple(step for step in self.guide.next_steps(facts) if "KILL" not in step.command.upper())


def of_time(records: Records, past: Period | None) -> Records:
    """The records that can show a cause at the time asked about: readings of now, or of that time in the past."""
    return Records(record for record in records if _is_of(record, past))


def _is_of(record: Record, past: Period | None) -> bool:
    asked = json.loads(record.arguments) if record.arguments else None
    if asked is None or not _TIMED & asked.keys():
        # What can only be read as it is now shows nothing of the past; a record of old does not say how it was asked.
        return asked is None or past is None
    until = next((str(asked[name]) for name in sorted(_TIMED & asked.keys()) if asked[name]), "")
    if past is None or not until:
        return past is None and not until
    end = epoch_seconds(moment(until))
    return past.start < end and end - 60.0 * float(asked.get("minutes", 0)) < past.end + _AFTER_SECONDS


def as_past(verified: VerifiedCause) -> VerifiedCause:
    """The cause, never confirmed."""
    verified.missing.append(RECORD_ONLY)
    verified.cap_confidence(UNCONFIRMED)
    return verified


def history_limit() -> entity_pb2.Limit:
    """What no record can show."""
    limit = entity_pb2.Limit()
    limit.CopyFrom(_HISTORY_ONLY)
    return limit
