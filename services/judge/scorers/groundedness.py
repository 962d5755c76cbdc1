"""How much of what the report claims stands on recorded values: what was struck, and what cites nothing, does not."""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


def _score(_truth: Truth, report: Report) -> Scored | None:
    claims = [cause.evidence_refs for cause in report.root_causes]
    claims += [link.evidence_refs for link in report.causal_chain]
    unfounded = sum(1 for refs in claims if not any(0 <= position < len(report.evidence) for position in refs))
    total = len(claims) + len(report.struck)
    if not total:
        return None
    wrong = unfounded + len(report.struck)
    reason = f"{len(report.struck)} claims were struck, {unfounded} cite nothing" if wrong else ""
    return Scored(1.0 - wrong / total, reason)


GROUNDEDNESS = Scorer("groundedness", "share of claims", Better.HIGHER, gates=True, always=False, score=_score)
