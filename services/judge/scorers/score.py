"""What scorers are given and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


class Better(Enum):
    """Which way is up."""

    HIGHER = 1
    LOWER = -1


@dataclass(frozen=True, slots=True)
class Scored:
    """A value in the scorer's unit, and in a sentence why it is not perfect."""

    value: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """What comparisons know of a scorer.

    `gates` says whether a fall keeps a candidate out, or is told only; `always` whether what was replayed decides that
    there is a score, and not what the report says: then one that is missing on one side makes two runs unlike.
    """

    name: str
    unit: str
    better: Better
    gates: bool
    always: bool = field(default=True, kw_only=True)


@dataclass(frozen=True, slots=True)
class Scorer(Measure):
    """A measure of a report against the truth.

    `score` returns None where there is nothing to measure: a healthy world has no entities.
    """

    score: Callable[[Truth, Report], Scored | None] = field(repr=False)


def true_kinds(truth: Truth) -> set[str]:
    """The catalogue ids that are really there."""
    return {cause.kind for cause in truth.root_causes}


def reported_kinds(report: Report) -> set[str]:
    """The catalogue ids that the report names."""
    return {cause.kind for cause in report.root_causes}


def share(missing: Sequence[str], total: int) -> Scored:
    """What of `total` is there, and what is missing."""
    return Scored(1.0 - len(missing) / total, "; ".join(missing))
