"""Every scorer. A new one is a file, and a line here."""

from __future__ import annotations

from services.judge.scorers.causal_path import CAUSAL_PATH
from services.judge.scorers.cause_set import CAUSE_SET
from services.judge.scorers.confirmed_right import CONFIRMED_RIGHT
from services.judge.scorers.decisiveness import DECISIVENESS
from services.judge.scorers.entities import ENTITIES
from services.judge.scorers.forbidden_advice import FORBIDDEN_ADVICE
from services.judge.scorers.groundedness import GROUNDEDNESS
from services.judge.scorers.own_report import OWN_REPORT
from services.judge.scorers.precision import PRECISION
from services.judge.scorers.score import Scorer
from services.judge.scorers.traps import TRAPS
from services.judge.scorers.usage import COST, LATENCY, TOKENS, TOOL_CALLS
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.judge_pb2 import Score
from storex.judge.v1.scenario_pb2 import Truth

SCORERS: dict[str, Scorer] = {
    scorer.name: scorer
    for scorer in (
        CAUSE_SET,
        PRECISION,
        CAUSAL_PATH,
        ENTITIES,
        GROUNDEDNESS,
        FORBIDDEN_ADVICE,
        TRAPS,
        CONFIRMED_RIGHT,
        DECISIVENESS,
        OWN_REPORT,
        TOOL_CALLS,
        TOKENS,
        COST,
        LATENCY,
    )
}
"""The scorers by name, in the order in which tables show them."""


def scores_of(truth: Truth, report: Report) -> list[Score]:
    """Every score that the report can be given."""
    scored = ((scorer.name, scorer.score(truth, report)) for scorer in SCORERS.values())
    return [Score(scorer=name, value=found.value, reason=found.reason) for name, found in scored if found is not None]
