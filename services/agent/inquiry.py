"""A question under investigation, and what a reasoner may do about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from services.agent.records import Record, Records, Status
from services.agent.report.draft import Draft
from services.agent.report.period import Period
from services.agent.target import Target
from storex.agent.v1 import report_pb2


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call that a reasoner asks for.

    `reference` is the reasoner's own id of it. With `refresh` the call is made although the same one was made before.
    """

    tool: str
    arguments: Mapping[str, object]
    reference: str = ""
    refresh: bool = False

    @property
    def key(self) -> str:
        """The same for two calls that ask the same."""
        return f"{self.tool} {json.dumps(dict(self.arguments), sort_keys=True, default=str)}"


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a requested call came to. `repeated` says that it had been made before and was not made again."""

    request: ToolRequest
    call_id: str
    status: Status
    records: tuple[Record, ...]
    problem: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A cause under consideration: a catalogue id, how sure (0 to 1), why, and on which instance if that is known."""

    kind: str
    confidence: float
    reason: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class CallTools:
    """Read these, side by side, and come back."""

    requests: tuple[ToolRequest, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    plan: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclude:
    """Enough is known: this is what it comes to."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its report, None when it was cancelled."""

    question: str
    report: report_pb2.Report | None
    asked_at: float


@dataclass(slots=True)
class Inquiry:
    """A question with its session: earlier turns, and everything recorded so far.

    `question` is scrubbed. `asked_at` is seconds since the epoch; `window_seconds` is how far back to look.
    """

    session_id: str
    target: Target
    question: str
    asked_at: float
    window_seconds: float
    turn: int = 0
    earlier: tuple[Turn, ...] = ()
    records: Records = field(default_factory=Records)
    outcomes: tuple[CallOutcome, ...] = ()
    """What the last move's calls came to, in the order they were asked for."""
    at: float | None = None
    """The end of the time that it is about, in seconds since the epoch; None for now."""
    says_when: bool = False
    """Whether the question itself names a time."""

    @property
    def past(self) -> Period | None:
        """The time that it is about, where that is over."""
        return Period(self.at - self.window_seconds, self.at) if self.at is not None else None

    resumed: bool = False
    """Whether this goes on with a question that was cut short; `records` then holds what is still fresh of it."""
    calls_before: int = 0
    """The highest number of a call that was recorded for this question before it was cut short."""

    @property
    def names(self) -> tuple[str, ...]:
        """The resources that the question and its records are about."""
        return tuple(dict.fromkeys((str(self.target.name), *(record.name for record in self.records))))

    @property
    def last_report(self) -> report_pb2.Report | None:
        """The newest report of the session, if there is one."""
        return next((turn.report for turn in reversed(self.earlier) if turn.report is not None), None)

    @property
    def last_diagnosis(self) -> report_pb2.Report | None:
        """The newest report of the session that says how things are, if there is one."""
        reports = (turn.report for turn in reversed(self.earlier) if turn.report is not None)
        return next((report for report in reports if report.verdict != report_pb2.VERDICT_UNSPECIFIED), None)


class ReasonerFailedError(Exception):
    """A reasoner cannot go on. `code` and `problem` (PUBLIC) say why; the loop falls back to `builtin`."""

    def __init__(self, code: str, problem: str) -> None:
        self.code = code
        self.problem = problem
        super().__init__(code)


class Reasoner(Protocol):
    """Decides what to read next and when enough is known. One instance serves one question."""

    @property
    def label(self) -> str:
        """Who it is, as the report's `written_by` names it."""

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens sent to and received from models so far."""

    @property
    def cost(self) -> float:
        """What models cost so far, by the price table in the configuration."""

    async def next_move(self, inquiry: Inquiry) -> CallTools | Conclude:
        """The next move, given what the last one came to (`inquiry.outcomes`). Raises ReasonerFailedError."""


class Fallback(Reasoner, Protocol):
    """A deterministic reasoner, which can also stop at any moment."""

    def conclude(self, inquiry: Inquiry) -> Draft:
        """What the records come to as they are."""
