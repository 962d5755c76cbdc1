"""How firmly the report says what is right: 1 where it is sure, 0.5 where likely, 0 for doubt or a wrong answer."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer, reported_kinds, true_kinds
from storex.agent.v1.report_pb2 import Report, Verdict
from storex.judge.v1.scenario_pb2 import Truth

_WORTH = {Verdict.VERDICT_CONFIRMED: 1.0, Verdict.VERDICT_HEALTHY: 1.0, Verdict.VERDICT_LIKELY: 0.5}


def _score(truth: Truth, report: Report) -> Scored:
    verdict = Verdict.Name(report.verdict).removeprefix("VERDICT_")
    if reported_kinds(report) != true_kinds(truth):
        return Scored(0.0, f"{verdict} with other causes than are there")
    worth = _WORTH.get(report.verdict, 0.0)
    return Scored(worth, "" if worth == 1.0 else f"right, and said as {verdict}")


DECISIVENESS = Scorer("decisiveness", "share", Better.HIGHER, gates=True, score=_score)
