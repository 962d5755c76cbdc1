"""Whether a model's own report stood, or the deterministic investigator had to give one in its place.

None where no model was asked. A model that nobody reached is an error of the harness and is not scored at all.
"""

from __future__ import annotations

from services.judge.scorers.score import Better, Scored, Scorer
from storex.agent.v1.report_pb2 import Report
from storex.judge.v1.scenario_pb2 import Truth

_FAILED = {
    "MODEL_NONSENSE": "the model handed in nothing that can be used",
    "MODEL_REPEATS": "the model went round in circles",
    "MODEL_UNSUPPORTED": "the model overlooked a cause, or who is behind it",
}
_UNFINISHED = "BUDGET_SPENT"
WITHOUT_MODELS = ("builtin", "loudest")
"""The reasoners that ask no model."""


def _score(_truth: Truth, report: Report) -> Scored | None:
    codes = {limit.code for limit in report.limits}
    failed = sorted(codes & _FAILED.keys())
    if failed:
        return Scored(0.0, "; ".join(_FAILED[code] for code in failed))
    if report.written_by not in ("", *WITHOUT_MODELS):
        return Scored(1.0)
    # builtin spends no tokens: where some were spent, it was a model that came to a limit without a report.
    heard = report.usage.input_tokens + report.usage.output_tokens > 0
    return Scored(0.0, "the model came to a limit without a report") if heard and _UNFINISHED in codes else None


OWN_REPORT = Scorer("own_report", "share of a model's reports", Better.HIGHER, gates=True, score=_score)
