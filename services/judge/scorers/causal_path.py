"""How much of what brings about what the report tells."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer, share
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


def _score(truth: Truth, report: Report) -> Scored | None:
    if not truth.causal_edges:
        return None
    told = {(link.cause, link.effect) for link in report.causal_chain}
    missing = [
        f"{edge.cause} brings about {edge.effect}, which was not told"
        for edge in truth.causal_edges
        if (edge.cause, edge.effect) not in told
    ]
    return share(missing, len(truth.causal_edges))


CAUSAL_PATH = Scorer("causal_path", "share", Better.HIGHER, gates=True, score=_score)
