"""How few wrong causes stand beside the right ones, where all right ones are named; 0 where one is missing."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer, reported_kinds, true_kinds
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


def _score(truth: Truth, report: Report) -> Scored:
    there, reported = true_kinds(truth), reported_kinds(report)
    if missing := there - reported:
        return Scored(0.0, f"not named: {', '.join(sorted(missing))}")
    if not reported:
        return Scored(1.0)
    wrong = sorted(reported - there)
    return Scored(len(there) / len(reported), f"named beside: {', '.join(wrong)}" if wrong else "")


PRECISION = Scorer("precision_at_full_recall", "share", Better.HIGHER, gates=True, score=_score)
