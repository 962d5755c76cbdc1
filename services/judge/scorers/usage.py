"""What a report cost: told beside the quality, not a reason to keep a candidate out."""

from __future__ import annotations

from collections.abc import Callable

from services.judge.scorers.score import Better, Scored, Scorer
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth


def _cost(name: str, unit: str, read: Callable[[Report], float]) -> Scorer:
    def score(_truth: Truth, report: Report) -> Scored:
        return Scored(read(report))

    return Scorer(name, unit, Better.LOWER, gates=False, score=score)


TOOL_CALLS = _cost("tool_calls", "calls", lambda report: report.usage.tool_calls)
TOKENS = _cost("tokens", "tokens", lambda report: report.usage.input_tokens + report.usage.output_tokens)
COST = _cost("cost", "price-table units", lambda report: report.usage.cost)
LATENCY = _cost("latency", "seconds", lambda report: report.usage.wall_seconds)
