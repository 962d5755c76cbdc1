"""What a reasoner claims, before anything of it has been checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from storex.agent.v1 import report_pb2


@dataclass(frozen=True, slots=True)
class EntityClaim:
    """A thing and the part it plays, as in `storex.common.v1.Entity`."""

    role: str
    type: str
    value: str


@dataclass(frozen=True, slots=True)
class DraftCause:
    """A claimed root cause of the instance `name`. An empty summary is written by code."""

    kind: str
    name: str
    confidence: float
    entities: tuple[EntityClaim, ...]
    summary: str = ""

    def values(self, role: str, type_: str) -> tuple[str, ...]:
        """The values of the entities with that role and type."""
        return tuple(entity.value for entity in self.entities if (entity.role, entity.type) == (role, type_))


class Aspect(Enum):
    """What of a known diagnosis a follow-up asks for."""

    WHO = "who is behind it"
    KILL = "whether it is safe to end a session"
    WHAT = "which statement, table or index"
    WHEN = "since when"
    STEPS = "what to do"
    WHY = "how it came about"
    TREND = "whether it gets worse"
    SURE = "how sure that is, and by what"
    IMPACT = "how much it hurts"
    RESTART = "whether to restart or fail over"
    STILL = "whether it is still so"
    WELL = "whether all is well"


class Topic(Enum):
    """What a question asks to be told beside, or instead of, a diagnosis."""

    CHANGES = "what changed"
    METRICS = "which figures are far from normal"
    STATEMENTS = "which statements cost most"
    OWNERS = "who owns it"
    VERSIONS = "which versions run"
    AVAILABILITY = "what does not answer"
    WORST = "where it is worst"
    SESSIONS = "what was found before"


@dataclass(frozen=True, slots=True)
class Draft:
    """A claimed diagnosis; no causes means that none was found. An empty answer is written by code."""

    causes: tuple[DraftCause, ...] = ()
    answer: str = ""
    aspects: tuple[Aspect, ...] = ()
    """What of it the question asks for, in the order to answer in; empty for the diagnosis as a whole."""
    asked_about: str = ""
    """The connection id that the question names, or empty."""
    on_session: bool = False
    """Whether it rests on the whole session's records, not only on what was read for this question."""
    turns: tuple[int, ...] = ()
    """With `on_session`, the questions whose records it rests on beside this one's; empty for all."""
    topics: tuple[Topic, ...] = ()
    """What is to be told beside the causes, or instead of them."""
    facts_only: bool = False
    """Whether the question is not about health at all, so that the report has no verdict."""
    asked_kinds: tuple[str, ...] = ()
    """Catalogue ids that the question is about: where none of them is a cause, the answer says what the checks say."""
    before: tuple[tuple[str, str], ...] = ()
    """Kinds and instances of the causes that the session found before, where the question is whether they last."""
    earlier: report_pb2.Report | None = None
    """The session's report before, where the question is how things go on since then."""
    lead: str = ""
    """A sentence of the builtin's own that the answer begins with; PUBLIC."""
    notes: tuple[tuple[str, str], ...] = ()
    """Limits of the reasoning itself, as (code, sentence); both PUBLIC."""
