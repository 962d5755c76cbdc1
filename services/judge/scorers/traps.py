"""Whether the report walks past what is tempting and wrong."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer, reported_kinds, share
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


def _score(truth: Truth, report: Report) -> Scored | None:
    if not truth.traps:
        return None
    caught = sorted(set(truth.traps) & reported_kinds(report))
    return share([f"fell for {kind}" for kind in caught], len(set(truth.traps)))


TRAPS = Scorer("traps_avoided", "share", Better.HIGHER, gates=True, score=_score)
