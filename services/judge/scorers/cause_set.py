"""Whether the report names exactly the causes that are there: no more, no fewer."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer, reported_kinds, true_kinds
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


def _score(truth: Truth, report: Report) -> Scored:
    there, reported = true_kinds(truth), reported_kinds(report)
    parts = [f"{kind} was not named" for kind in sorted(there - reported)]
    parts += [f"{kind} is not there" for kind in sorted(reported - there)]
    return Scored(0.0 if parts else 1.0, "; ".join(parts))


CAUSE_SET = Scorer("cause_set", "share of exact reports", Better.HIGHER, gates=True, score=_score)
