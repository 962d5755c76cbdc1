"""Whether a report that says CONFIRMED or HEALTHY is right: doubt is never punished here."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer, reported_kinds, true_kinds
from storex.agent.v1.report_pb2 import Report, Verdict
from storex.judge.v1.scenario_pb2 import Truth

_SURE = (Verdict.VERDICT_CONFIRMED, Verdict.VERDICT_HEALTHY)


def _score(truth: Truth, report: Report) -> Scored | None:
    if report.verdict not in _SURE:
        return None
    right = reported_kinds(report) == true_kinds(truth)
    return Scored(float(right), "" if right else f"{Verdict.Name(report.verdict)} is wrong")


CONFIRMED_RIGHT = Scorer(
    "confirmed_is_right", "share of sure reports", Better.HIGHER, gates=True, always=False, score=_score
)
