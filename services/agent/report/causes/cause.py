"""What a guide is given and what it gives back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.agent.report.draft import DraftCause
from services.agent.report.matching import Citation, distinct
from storex.agent.v1 import report_pb2

NO_RISK = report_pb2.RISK_NONE
LOW_RISK = report_pb2.RISK_LOW
MEDIUM_RISK = report_pb2.RISK_MEDIUM
HIGH_RISK = report_pb2.RISK_HIGH


@dataclass(frozen=True, slots=True)
class Supporting:
    """A value that is cited where it is there: a tool, a pattern over its answer, and what the value shows.

    `statement` is a sentence without principals. It also words the catalogue's own required values.
    """

    tool: str
    pattern: str
    statement: str


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the causal chain, and the patterns of the cited values that it rests on."""

    text: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: why, what to look at before and after, and the exact command, if there is one."""

    text: str
    risk: report_pb2.Risk.ValueType
    command: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A verified cause with its cited values."""

    cause: DraftCause
    citations: Sequence[Citation]
    engine: str = ""
    """`MariaDB`, `MySQL`, or empty where the overview could not be read."""
    fallback: str = ""
    """The shard's own summary, for when too little is cited to say more."""

    def entity(self, role: str, type_: str) -> str:
        """The first entity with that role and type, or empty."""
        return next(iter(self.cause.values(role, type_)), "")

    def value(self, pattern: str) -> str:
        """The first cited value at that pattern, or empty."""
        return next((citation.value for citation in self.citations if citation.pattern == pattern), "")

    def values(self, pattern: str) -> list[str]:
        """The cited values at that pattern, each once."""
        return distinct(citation.value for citation in self.citations if citation.pattern == pattern)

    def number(self, pattern: str) -> float:
        """The first cited value at that pattern as a number, 0 where there is none."""
        try:
            return float(self.value(pattern) or 0)
        except ValueError:
            return 0.0


class CauseGuide(Protocol):
    """The words and the safe steps for one catalogue id."""

    @property
    def kind(self) -> str:
        """The catalogue id."""

    @property
    def supporting(self) -> tuple[Supporting, ...]:
        """Values worth citing beside the required ones, and the wording of both."""

    def summary(self, facts: Facts) -> str:
        """What is wrong, in a sentence, with who and where."""

    def chain(self, facts: Facts) -> tuple[Link, ...]:
        """From cause to symptom."""

    def next_steps(self, facts: Facts) -> tuple[Step, ...]:
        """What to do, in any order; the report sorts by risk. Every command is safe to read before it is run."""
